const [WIDTH, HEIGHT] = [96, 20];

/** A line of bars the size of a word: how much there was, and how much of it went wrong. What it says is said in `label` too. */
export function Spark({ label, bars }: { label: string; bars: readonly { total: number; bad: number }[] }) {
  const most = Math.max(1, ...bars.map((bar) => bar.total));
  const width = WIDTH / Math.max(1, bars.length);
  const high = (value: number): number => (value === 0 ? 0 : Math.max(1.5, (HEIGHT * value) / most));
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={label} style={{ display: 'block' }}>
      <title>{label}</title>
      <rect y={HEIGHT - 1} width={WIDTH} height={1} className="spark-base" />
      {bars.map(({ total, bad }, at) => (
        <g key={at}>
          <rect x={at * width + 1} width={width - 2} y={HEIGHT - high(total)} height={high(total)} className="spark-bar" />
          <rect x={at * width + 1} width={width - 2} y={HEIGHT - high(bad)} height={high(bad)} className="spark-bad" />
        </g>
      ))}
    </svg>
  );
}
