import { Box, useComputedColorScheme } from '@mantine/core';
import { useEffect, useState } from 'react';
import { createHighlighterCore, type HighlighterCore, type ThemedToken } from 'shiki/core';
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript';

import { Copy } from '@/ui/copy';

const LONGEST = 20_000;
const ALIASES: Record<string, string> = { py: 'python', js: 'javascript', ts: 'typescript', sh: 'bash', shell: 'bash', yml: 'yaml', rs: 'rust', md: 'markdown', 'c++': 'cpp' };

const highlighter: Promise<HighlighterCore> = createHighlighterCore({
  engine: createJavaScriptRegexEngine({ forgiving: true }),
  themes: [import('shiki/themes/github-light-high-contrast.mjs'), import('shiki/themes/github-dark-high-contrast.mjs')],
  langs: [
    import('shiki/langs/python.mjs'),
    import('shiki/langs/javascript.mjs'),
    import('shiki/langs/typescript.mjs'),
    import('shiki/langs/json.mjs'),
    import('shiki/langs/bash.mjs'),
    import('shiki/langs/sql.mjs'),
    import('shiki/langs/yaml.mjs'),
    import('shiki/langs/html.mjs'),
    import('shiki/langs/css.mjs'),
    import('shiki/langs/java.mjs'),
    import('shiki/langs/go.mjs'),
    import('shiki/langs/rust.mjs'),
    import('shiki/langs/c.mjs'),
  ],
});

/** Code in colours, once it stands still for a moment; plain text before, and where its language is not known. */
export function Highlighted({ text, language }: { text: string; language: string }) {
  const scheme = useComputedColorScheme('light');
  const [lines, setLines] = useState<{ of: string; lines: ThemedToken[][] } | null>(null);
  const key = `${scheme} ${language} ${text}`;
  useEffect(() => {
    let isGone = false;
    const timer = setTimeout(() => {
      void highlighter.then((shiki) => {
        const lang = ALIASES[language] ?? language;
        if (isGone || text.length > LONGEST || !shiki.getLoadedLanguages().includes(lang)) return;
        const theme = scheme === 'dark' ? 'github-dark-high-contrast' : 'github-light-high-contrast';
        setLines({ of: key, lines: shiki.codeToTokensBase(text.replace(/\n$/, ''), { lang, theme }) });
      });
    }, 150);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [key, text, language, scheme]);
  const shown = lines?.of === key ? lines.lines : null;
  return (
    <Box pos="relative">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus */}
      <pre tabIndex={0} role="region" aria-label={language ? `Code: ${language}` : 'Code'}>
        <code>
          {shown === null
            ? text
            : shown.map((tokens, line) => (
                <span key={line}>
                  {tokens.map((token, index) => (
                    <span key={index} style={{ color: token.color }}>
                      {token.content}
                    </span>
                  ))}
                  {'\n'}
                </span>
              ))}
        </code>
      </pre>
      <Box className="code-copy">
        <Copy value={text} label="Copy the code" />
      </Box>
    </Box>
  );
}
