import { Fragment } from 'react';

/** A sentence of the server, with what it writes between backticks as code. */
export function Said({ words }: { words: string }) {
  return words.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : <Fragment key={index}>{part}</Fragment>));
}
