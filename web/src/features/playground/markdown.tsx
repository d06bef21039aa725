import { Anchor, Text } from '@mantine/core';
import { type AnchorHTMLAttributes, type ImgHTMLAttributes, lazy, memo, type ReactElement, type ReactNode, Suspense, useEffect, useState } from 'react';
import { defaultRehypePlugins, defaultRemarkPlugins, Streamdown, type StreamdownProps } from 'streamdown';

import { hasFormulas, withDollars } from '@/features/playground/formulas';

type CodeText = { text: string; language: string };
/** Code whose colours cannot be loaded is as good without. */
const Highlighted = lazy(() => import('@/features/playground/highlighted').then(({ Highlighted: found }) => ({ default: found }), () => ({ default: PlainCode })));

type Node = { type: string; value?: string; children?: Node[] };

/** HTML is shown as the text that it is: nothing that a model writes becomes an element. */
function htmlAsText() {
  const visit = (node: Node, isBlock: boolean): Node => {
    if (node.type === 'html') {
      const text: Node = { type: 'text', value: node.value ?? '' };
      return isBlock ? { type: 'paragraph', children: [text] } : text;
    }
    if (node.children) node.children = node.children.map((child) => visit(child, ['root', 'blockquote', 'listItem'].includes(node.type)));
    return node;
  };
  return (tree: Node): void => void visit(tree, true);
}

const SAFE_LINK = /^(https?:|mailto:)/i;

function Link({ href, children }: AnchorHTMLAttributes<HTMLAnchorElement>) {
  if (!href || !SAFE_LINK.test(href)) return <>{children}</>;
  return (
    <Anchor href={href} target="_blank" rel="noopener noreferrer nofollow" inherit underline="always" title={href}>
      {children}
    </Anchor>
  );
}

/** Pictures would tell their host that somebody reads: only where they are is shown. */
const Image = ({ alt, src }: ImgHTMLAttributes<HTMLImageElement>) => (
  <Text span c="dimmed" inherit>
    [picture{alt ? `: ${alt}` : ''}
    {typeof src === 'string' ? ` at ${src.slice(0, 200)}` : ''}]
  </Text>
);

type CodeProps = { className?: string; children?: ReactNode };

const PlainCode = ({ text, language, children = text }: CodeText & { children?: ReactNode }) => (
  // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus
  <pre tabIndex={0} role="region" aria-label={language ? `Code: ${language}` : 'Code'}>
    <code>{children}</code>
  </pre>
);

function Pre({ children }: { children?: ReactNode }) {
  const inner = (children as ReactElement<CodeProps> | undefined)?.props;
  const text = typeof inner?.children === 'string' ? inner.children : '';
  const language = /language-([\w+-]+)/.exec(inner?.className ?? '')?.[1] ?? '';
  if (text === '') return <PlainCode text="" language={language}>{children}</PlainCode>;
  return (
    <Suspense fallback={<PlainCode text={text} language={language} />}>
      <Highlighted text={text} language={language} />
    </Suspense>
  );
}

const components = {
  a: Link,
  img: Image,
  pre: Pre,
  code: ({ children, className }: CodeProps) => <code className={className}>{children}</code>,
  table: ({ children }: { children?: ReactNode }) => (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- the same
    <div className="scrolls" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
  // Plain elements: the library's own bring classes and buttons of a framework that is not here.
  ...Object.fromEntries(
    (['h1', 'h2', 'h3', 'h4', 'h5', 'h6'] as const).map((tag) => [tag, ({ children }: { children?: ReactNode }) => <p className="heading">{children}</p>]),
  ),
  ul: ({ children }: { children?: ReactNode }) => <ul>{children}</ul>,
  ol: ({ children, start }: { children?: ReactNode; start?: number }) => <ol start={start}>{children}</ol>,
  li: ({ children }: { children?: ReactNode }) => <li>{children}</li>,
  blockquote: ({ children }: { children?: ReactNode }) => <blockquote>{children}</blockquote>,
  hr: () => <hr />,
  thead: ({ children }: { children?: ReactNode }) => <thead>{children}</thead>,
  tbody: ({ children }: { children?: ReactNode }) => <tbody>{children}</tbody>,
  tr: ({ children }: { children?: ReactNode }) => <tr>{children}</tr>,
  th: ({ children }: { children?: ReactNode }) => <th>{children}</th>,
  td: ({ children }: { children?: ReactNode }) => <td>{children}</td>,
  strong: ({ children }: { children?: ReactNode }) => <strong>{children}</strong>,
};

const remark = [...Object.values(defaultRemarkPlugins), htmlAsText];
const rehype = [defaultRehypePlugins.sanitize].filter((plugin) => plugin !== undefined);

type Plugins = { remark: NonNullable<StreamdownProps['remarkPlugins']>; rehype: NonNullable<StreamdownProps['rehypePlugins']> };
const loadMath = async (): Promise<Plugins> => {
  const { mathRemark, mathRehype } = await import('@/features/playground/math');
  return { remark: [...remark, ...mathRemark], rehype: [...rehype, ...mathRehype] };
};
/** The same for every text, so that none is drawn again for it. */
let withMath: Plugins | null = null;

/** What draws formulas is loaded with the first one; where it cannot be, they stay as they were written. */
function useMath(isWanted: boolean): Plugins | null {
  const [loaded, setLoaded] = useState<Plugins | null>(withMath);
  useEffect(() => {
    if (!isWanted) return;
    loadMath().then((found) => setLoaded((withMath ??= found)), () => undefined);
  }, [isWanted]);
  return isWanted ? loaded : null;
}

/** A model's Markdown. While it comes, what is not closed yet is closed for it. */
export const Markdown = memo(function Markdown({ text, isRunning }: { text: string; isRunning: boolean }) {
  const math = useMath(hasFormulas(text));
  return (
    <Streamdown
      className="answer"
      mode={isRunning ? 'streaming' : 'static'}
      parseIncompleteMarkdown={isRunning}
      remarkPlugins={math?.remark ?? remark}
      rehypePlugins={math?.rehype ?? rehype}
      components={components}
      controls={false}
      linkSafety={{ enabled: false }}
    >
      {math ? withDollars(text) : text}
    </Streamdown>
  );
});
