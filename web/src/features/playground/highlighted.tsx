import { Box } from '@mantine/core';
import { useEffect, useState } from 'react';
import { createHighlighterCore, type HighlighterCore, type ThemedTokenWithVariants } from 'shiki/core';
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript';

import { Copy } from '@/ui/copy';

const LONGEST = 20_000;
const THEMES = { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' };
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
  const [lines, setLines] = useState<{ of: string; lines: ThemedTokenWithVariants[][] } | null>(null);
  const key = `${language} ${text}`;
  useEffect(() => {
    let isGone = false;
    const timer = setTimeout(() => {
      void highlighter.then((shiki) => {
        const lang = ALIASES[language] ?? language;
        if (isGone || text.length > LONGEST || !shiki.getLoadedLanguages().includes(lang)) return;
        setLines({ of: key, lines: shiki.codeToTokensWithThemes(text.replace(/\n$/, ''), { lang, themes: THEMES }) });
      });
    }, 150);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [key, text, language]);
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
                    <span key={index} style={{ color: `light-dark(${token.variants.light?.color ?? 'inherit'}, ${token.variants.dark?.color ?? 'inherit'})` }}>
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
