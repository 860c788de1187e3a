// Line icons on a grid of 20.
const PATHS = {
  menu: 'M3 5.5h14M3 10h14M3 14.5h9',
  plus: 'M10 4v12M4 10h12',
  search: 'M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12ZM13.5 13.5 17 17',
  send: 'M10 16.5v-13M4.5 9 10 3.5 15.5 9',
  attach: 'm16 9.5-6.2 6.1a3.6 3.6 0 0 1-5.1-5.1l6.3-6.2a2.3 2.3 0 0 1 3.3 3.3l-6.1 6.1a1 1 0 0 1-1.5-1.5L12 7',
  think: 'm4 16 1-4 8.6-8.6a1.7 1.7 0 0 1 2.4 0l.6.6a1.7 1.7 0 0 1 0 2.4L8 15l-4 1ZM12 5l3 3',
  copy: 'M7.5 7.5h8v9h-8zM12.5 7.5v-4h-8v9h3',
  check: 'm4 10.5 4 4 8-9',
  again: 'M16 10a6 6 0 1 1-1.8-4.3L16 7.5M16 3.5v4h-4',
  edit: 'M3.5 16.5h13M5 13l.7-2.7 7-7 2 2-7 7L5 13Z',
  resume: 'M5 4.5v11M9 5l7.5 5L9 15V5Z',
  down: 'M10 3.5v13M4.5 11l5.5 5.5 5.5-5.5',
  left: 'm12 4.5-5.5 5.5 5.5 5.5',
  right: 'm8 4.5 5.5 5.5L8 15.5',
  chevron: 'm5 7.5 5 5 5-5',
  more: 'M4.5 10h.01M10 10h.01M15.5 10h.01',
  book: 'M10 5.5C8 4 5.5 3.5 3 3.5v12c2.5 0 5 .5 7 2 2-1.5 4.5-2 7-2v-12c-2.5 0-5 .5-7 2ZM10 5.5v12',
  pulse: 'M2.5 10.5H6l2-6 4 11 2-5h3.5',
  sliders: 'M3 6h7m4 0h3M3 14h3m4 0h7M12 4v4M8 12v4',
  close: 'm5 5 10 10M15 5 5 15',
  file: 'M5 2.5h7l3.5 3.5v11.5H5zM12 2.5V6h3.5',
  quote: 'M8.5 5.5c-3 1-4.5 3-4.5 6v3h4.5V10H6c0-1.5 1-2.5 2.5-3M16 5.5c-3 1-4.5 3-4.5 6v3H16V10h-2.5c0-1.5 1-2.5 2.5-3',
  trash: 'M3.5 5.5h13M8 5V3h4v2M5 5.5 6 17h8l1-11.5',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
