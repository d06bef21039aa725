const indented = (value: unknown): string => JSON.stringify(value, null, 2);
const shell = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const python = (value: unknown, depth = 0): string => {
  const pad = '    '.repeat(depth + 1);
  const end = '    '.repeat(depth);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return value.length ? `[\n${value.map((one) => pad + python(one, depth + 1)).join(',\n')},\n${end}]` : '[]';
  if (typeof value === 'object') {
    const entries = Object.entries(value);
    return entries.length ? `{\n${entries.map(([key, one]) => `${pad}${JSON.stringify(key)}: ${python(one, depth + 1)}`).join(',\n')},\n${end}}` : '{}';
  }
  return JSON.stringify(value);
};
const keywords = (body: Record<string, unknown>): string =>
  Object.entries(body)
    .map(([key, value]) => `    ${key}=${python(value, 1)},`)
    .join('\n');

/** What LangChain's chat model takes by the API's own names. */
const LANGCHAIN = ['temperature', 'max_tokens', 'top_p', 'seed', 'n', 'stop', 'frequency_penalty', 'presence_penalty'];

/** A request to the data plane in every client's words. No token is ever in it: it comes from the environment. */
export function querySamples(server: string, endpoint: string, task: string, body: Record<string, unknown>): Record<string, string> {
  const url = `${server}/serving-endpoints/${encodeURIComponent(endpoint)}/invocations`;
  const route = task === 'llm/v1/embeddings' ? 'embeddings' : task === 'llm/v1/completions' ? 'completions' : 'chat/completions';
  const call = { embeddings: 'embeddings.create', completions: 'completions.create', 'chat/completions': 'chat.completions.create' }[route];
  const openaiOnly = ['top_k', 'use_raw_prompt'].filter((key) => key in body);
  const known = Object.fromEntries(Object.entries(body).filter(([key]) => !openaiOnly.includes(key)));
  const extra = openaiOnly.length ? { extra_body: Object.fromEntries(openaiOnly.map((key) => [key, body[key]])) } : {};
  const samples: Record<string, string> = {
    curl: `curl ${shell(url)} \\\n  -H "Authorization: Bearer $OPENFM_TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(indented(body))}`,
    'Python (openai)': `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url=${JSON.stringify(`${server}/serving-endpoints`)}, api_key=os.environ["OPENFM_TOKEN"])\n${body.stream ? 'stream' : 'answer'} = client.${call}(\n    model=${JSON.stringify(endpoint)},\n${keywords({ ...known, ...extra })}\n)\n${body.stream ? 'for chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)' : 'print(answer)'}`,
    'databricks-sdk': `import os\n\nfrom databricks.sdk import WorkspaceClient\n\nw = WorkspaceClient(host=${JSON.stringify(server)}, token=os.environ["OPENFM_TOKEN"])\nanswer = w.api_client.do(\n    "POST",\n    ${JSON.stringify(`/serving-endpoints/${endpoint}/invocations`)},\n    body=${python({ ...body, ...(body.stream ? { stream: false } : {}) }, 1)},\n)\nprint(answer)`,
    JavaScript: `import OpenAI from 'openai';\n\nconst client = new OpenAI({ baseURL: ${JSON.stringify(`${server}/serving-endpoints`)}, apiKey: process.env.OPENFM_TOKEN });\nconst ${body.stream ? 'stream' : 'answer'} = await client.${call}(${indented({ model: endpoint, ...body })});\n${body.stream ? "for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');" : 'console.log(answer);'}`,
  };
  if (route === 'chat/completions') {
    samples.LangChain = `import os\n\nfrom langchain_openai import ChatOpenAI\n\nchat = ChatOpenAI(\n    base_url=${JSON.stringify(`${server}/serving-endpoints`)},\n    api_key=os.environ["OPENFM_TOKEN"],\n    model=${JSON.stringify(endpoint)},\n${keywords(Object.fromEntries(Object.entries(body).filter(([key]) => LANGCHAIN.includes(key))))}\n)\nprint(chat.invoke(${python((body.messages ?? []))}).content)`;
  }
  samples.CLI = `openfm endpoints query ${endpoint} --json ${shell(JSON.stringify(body))}`;
  samples.JSON = indented(body);
  return samples;
}

/** A management request in every client's words; `cli` is the command line's verb for it, before --json. */
export function managementSamples(
  server: string,
  request: { method: string; path: string; cli: string },
  body: Record<string, unknown>,
): Record<string, string> {
  const { method, path, cli } = request;
  return {
    JSON: indented(body),
    curl: `curl -X ${method} ${shell(server + path)} \\\n  -H "Authorization: Bearer $OPENFM_TOKEN" \\\n  -d ${shell(indented(body))}`,
    Python: `import os\n\nfrom databricks.sdk import WorkspaceClient\n\nw = WorkspaceClient(host=${JSON.stringify(server)}, token=os.environ["OPENFM_TOKEN"])\nw.api_client.do("${method}", ${JSON.stringify(path)}, body=${python(body)})`,
    CLI: `openfm ${cli} --json ${shell(JSON.stringify(body))}`,
  };
}

/** A body that an endpoint of this task answers. */
export function exampleBody(task: string): Record<string, unknown> {
  if (task === 'llm/v1/embeddings') return { input: ['What is a serving endpoint?', 'An address at which a model answers.'] };
  if (task === 'llm/v1/completions') return { prompt: 'The capital of France is', max_tokens: 16 };
  return { messages: [{ role: 'user', content: 'Name the capital of France.' }], max_tokens: 64, temperature: 0 };
}
