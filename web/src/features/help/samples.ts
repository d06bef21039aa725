import { exampleBody, querySamples } from '@/lib/samples';

const ORDER = ['curl', 'Python (openai)', 'databricks-sdk', 'mlflow', 'LangChain', 'JavaScript', 'CLI'];

const json = (value: unknown): string => JSON.stringify(value);

/** The request in MLflow's words: its client finds the server and the token in the environment. */
function mlflow(server: string, endpoint: string, task: string): string {
  const body = exampleBody(task);
  return [
    'import os',
    '',
    'from mlflow.deployments import get_deploy_client',
    '',
    `os.environ["DATABRICKS_HOST"] = ${json(server)}`,
    'os.environ["DATABRICKS_TOKEN"] = os.environ["OPENFM_TOKEN"]',
    'client = get_deploy_client("databricks")',
    `answer = client.predict(endpoint=${json(endpoint)}, inputs=${json(body)})`,
    'print(answer)',
  ].join('\n');
}

/** One question to an endpoint in every client's words, ready to run once OPENFM_TOKEN is set. */
export function firstSamples(server: string, endpoint: string, task: string): Record<string, string> {
  const samples: Record<string, string> = { ...querySamples(server, endpoint, task, exampleBody(task)), mlflow: mlflow(server, endpoint, task) };
  return Object.fromEntries(ORDER.flatMap((name) => (samples[name] === undefined ? [] : [[name, samples[name]]])));
}

/** The same, as the words of the answer come. Embeddings come all at once. */
export function streamSamples(server: string, endpoint: string, task: string): Record<string, string> {
  const samples = querySamples(server, endpoint, task, { ...exampleBody(task), stream: true });
  const names = ['curl', 'Python (openai)', 'JavaScript'];
  return Object.fromEntries(names.flatMap((name) => (samples[name] === undefined ? [] : [[name, samples[name]]])));
}

/** What puts server and token where every client looks for them. */
export const environment = (server: string): Record<string, string> => ({
  'bash, zsh': `export OPENFM_URL='${server}'\nexport OPENFM_TOKEN='…'   # from the page Access tokens\nexport DATABRICKS_HOST="$OPENFM_URL" DATABRICKS_TOKEN="$OPENFM_TOKEN"   # for databricks-sdk, mlflow`,
  PowerShell: `$env:OPENFM_URL = '${server}'\n$env:OPENFM_TOKEN = '…'   # from the page Access tokens\n$env:DATABRICKS_HOST = $env:OPENFM_URL; $env:DATABRICKS_TOKEN = $env:OPENFM_TOKEN`,
});

/** Addresses that clients ask for, and what each is. */
export const addresses = (server: string): { what: string; url: string; words: string }[] => [
  { what: 'OpenAI base URL', url: `${server}/v1`, words: 'For clients that speak OpenAI’s API: chat/completions, completions, embeddings, models.' },
  { what: 'OpenAI base URL, as Databricks has it', url: `${server}/serving-endpoints`, words: 'The same routes with Databricks’ answers.' },
  { what: 'Host', url: server, words: 'DATABRICKS_HOST for databricks-sdk, MLflow and the databricks command line; OPENFM_URL for openfm.' },
  { what: 'Description of the API', url: `${server}/api/openapi.json`, words: 'OpenAPI 3.1: every route of the management API, for generators and tools.' },
];

export type Refusal = { status: number; means: string; todo: string };

/** The errors that a caller meets, and what helps. */
export const REFUSALS: readonly Refusal[] = [
  { status: 400, means: 'The request can never work as it is', todo: 'Read the message: it names the field, and what it may be.' },
  { status: 401, means: 'No token, or one that is not known', todo: 'Send “Authorization: Bearer” and a token that was not revoked and has not ended.' },
  { status: 403, means: 'The token’s owner may not do this', todo: 'Ask whoever manages the endpoint for Can query.' },
  { status: 404, means: 'No such endpoint, or none that you may see', todo: 'Compare the name with the list of serving endpoints.' },
  { status: 429, means: 'A limit or a budget is used up', todo: 'Wait as long as the header retry-after says; SDKs do it by themselves.' },
  { status: 503, means: 'The endpoint is starting, or its line is full', todo: 'Send the same request again after retry-after.' },
];
