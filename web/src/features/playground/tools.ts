import type { AssistantMessage, Message, ToolCall } from '@/features/playground/types';

export type Tool = { type: 'function'; function: { name: string } & Record<string, unknown> };

const CHOICES = ['none', 'required', 'auto'];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The functions in a text: one or a list, with or without the API's wrapping. Throws an `Error` that says what is wrong. */
export function toolsOf(text: string): Tool[] {
  if (text.trim() === '') return [];
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`The tools are not JSON: ${error instanceof Error ? error.message : ''}`, { cause: error });
  }
  return (Array.isArray(json) ? json : [json]).map((one: unknown, index) => {
    const inner = isObject(one) && isObject(one.function) ? one.function : one;
    if (!isObject(inner) || typeof inner.name !== 'string' || inner.name === '') throw new Error(`Tool ${index + 1} has no name. A tool is {"name": …, "description": …, "parameters": …}.`);
    return { type: 'function', function: { ...inner, name: inner.name } };
  });
}

/** Their names, as far as the text can be read. */
export function toolNames(text: string): string[] {
  try {
    return toolsOf(text).map((tool) => tool.function.name);
  } catch {
    return [];
  }
}

/** The text with one more function to fill in. */
export function withExample(text: string): string {
  const names = toolNames(text);
  const example = {
    type: 'function',
    function: {
      name: names.includes('get_weather') ? `function_${names.length + 1}` : 'get_weather',
      description: 'The weather in a city now',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  };
  return JSON.stringify([...toolsOf(text), example], null, 2);
}

export const choiceOf = (choice: string): unknown => (CHOICES.includes(choice) ? choice : { type: 'function', function: { name: choice } });

/** The calls of an answer that nobody answered yet: those of the last message. */
export function openCalls(messages: readonly Message[], answer: AssistantMessage): readonly ToolCall[] {
  return messages.at(-1)?.id === answer.id && answer.status !== 'running' ? answer.toolCalls : [];
}

/** A call's arguments to read: indented where they are JSON. */
export function readable(given: string): string {
  try {
    return JSON.stringify(JSON.parse(given), null, 2);
  } catch {
    return given;
  }
}
