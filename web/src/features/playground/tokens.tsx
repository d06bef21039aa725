import { Button, Table, Text } from '@mantine/core';
import { useState } from 'react';

import type { Token } from '@/features/playground/types';
import { count } from '@/lib/format';
import { inert } from '@/lib/inert';

const PIECE = 100;

/** In quotes, so that spaces and ends of lines are seen. */
const quoted = (text: string): string => inert(JSON.stringify(text));
const percent = (logprob: number): string => `${(Math.exp(logprob) * 100).toFixed(1)} %`;

/** Each token of an answer with how likely it was, and what else could have been there. */
export function Tokens({ tokens }: { tokens: readonly Token[] }) {
  const [isOpen, open] = useState(false);
  return (
    <details className="reasoning" onToggle={(event) => open(event.currentTarget.open)}>
      <summary>Probabilities of {count(tokens.length)} tokens</summary>
      {isOpen && <TokenTable tokens={tokens} />}
    </details>
  );
}

function TokenTable({ tokens }: { tokens: readonly Token[] }) {
  const [limit, setLimit] = useState(PIECE);
  const left = tokens.length - limit;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus
    <div className="token-box" role="region" aria-label="Probabilities of the tokens" tabIndex={0}>
      <Table fz="xs" verticalSpacing={2}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Token</Table.Th>
            <Table.Th scope="col" ta="right">
              Probability
            </Table.Th>
            <Table.Th scope="col">Instead of it</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tokens.slice(0, limit).map(({ text, logprob, top }, at) => (
            <Table.Tr key={at}>
              <Table.Td ff="monospace" className="breaks">
                {quoted(text)}
              </Table.Td>
              <Table.Td ta="right" className="number" style={{ background: `color-mix(in srgb, var(--mantine-color-cyan-6) ${Math.round(35 * Math.exp(logprob))}%, transparent)` }}>
                {percent(logprob)}
              </Table.Td>
              <Table.Td>
                {top
                  .filter((one) => one.text !== text)
                  .map((one, place) => (
                    <Text key={place} span size="xs" c="dimmed" mr="xs" className="breaks">
                      <Text span ff="monospace" inherit>
                        {quoted(one.text)}
                      </Text>{' '}
                      {percent(one.logprob)}
                    </Text>
                  ))}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {left > 0 && (
        <Button size="xs" variant="default" m="xs" onClick={() => setLimit(limit + PIECE)}>
          Show more ({count(left)} tokens left)
        </Button>
      )}
    </div>
  );
}
