import rehypeKatex from 'rehype-katex';
import remarkMath from 'remark-math';
import type { StreamdownProps } from 'streamdown';

/** Formulas between $$; one dollar is money. Nothing in them is a link or HTML, and none expands without end. */
export const mathRemark: NonNullable<StreamdownProps['remarkPlugins']> = [[remarkMath, { singleDollarTextMath: false }]];
export const mathRehype: NonNullable<StreamdownProps['rehypePlugins']> = [[rehypeKatex, { output: 'mathml', trust: false, strict: 'ignore', errorColor: 'inherit', maxExpand: 200, maxSize: 20 }]];
