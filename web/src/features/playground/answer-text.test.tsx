import { MantineProvider } from '@mantine/core';
import { render, screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';

import { AnswerText } from '@/features/playground/answer-text';

const shown = (text: string, isRunning = false): HTMLElement =>
  render(<AnswerText text={text} isRunning={isRunning} isRaw={false} />, { wrapper: MantineProvider }).container.querySelector<HTMLElement>('.answer') ?? document.body;

describe('What a model says', () => {
  test('is Markdown', () => {
    const container = shown('# Title\n\nSome **bold** text and `code`.');
    expect(container.querySelector('.heading')?.textContent).toBe('Title');
    expect(container.querySelector('code')?.textContent).toBe('code');
  });

  test.each([
    '<script>window.pwned = 1</script>',
    '<img src=x onerror="window.pwned = 1">',
    'before <iframe src="https://evil.example"></iframe> after',
    '<svg onload="window.pwned = 1"></svg>',
  ])('makes no element of its HTML: %s', (text) => {
    const container = shown(text);
    expect(container.querySelector('script, img, iframe, svg[onload]')).toBeNull();
    expect(container.textContent).toContain(text.slice(text.indexOf('<'), text.indexOf('<') + 5));
  });

  test.each(['[go](javascript:alert(1))', '[go](data:text/html,x)', '[go](vbscript:x)', '[go](/ui/session)'])('leads nowhere but to the web: %s', (text) => {
    shown(text);
    expect(screen.queryByRole('link')).toBeNull();
    expect(screen.getByText(/go/)).toBeTruthy();
  });

  test('leads to the web without telling who comes', () => {
    shown('[go](https://example.com)');
    expect(screen.getByRole('link').getAttribute('rel')).toContain('noreferrer');
  });

  test('loads no picture', () => {
    const container = shown('![cat](https://example.com/cat.png)');
    expect(container.querySelector('img')).toBeNull();
    expect(container.textContent).toContain('picture: cat');
  });

  test('has no terminal’s escapes, and no marks that turn the text round', () => {
    expect(shown('\u001b[31mred\u001b[0m \u202edecoy').textContent).toBe('red �decoy');
  });

  test('is closed for it while it comes', () => {
    const container = shown('```python\nprint(1)', true);
    expect(container.querySelector('pre')?.textContent).toContain('print(1)');
  });

  test('of a megabyte on one line is shown piece by piece', () => {
    const container = shown('x'.repeat(1_000_000));
    expect(container.textContent.length).toBeLessThan(40_000);
    expect(screen.getByRole('button', { name: /Show more/ })).toBeTruthy();
  });
});
