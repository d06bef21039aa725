import { z } from 'zod';

import { kept, keep } from '@/lib/kept';

export const PAGE_SIZES = [25, 50, 100, 200] as const;

/** How somebody wants to see a table: kept in the browser, under the table's name. */
const view = z.object({ hidden: z.array(z.string()), pageSize: z.number().int().min(1).max(200) });
export type TableView = z.infer<typeof view>;

const place = (name: string): string => `openfm.table.${name}`;

export function keptView(name: string): TableView | null {
  const found = view.safeParse(kept(place(name)));
  return found.success ? found.data : null;
}

export const keepView = (name: string, chosen: TableView): void => keep(place(name), chosen);
