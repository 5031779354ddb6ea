/** The sweeper reads builds of a state page by page, in the order in which they came. */
export const statements = [
  `create index build_unfinished_in_order on build (state, id) where finished_at is null`,
  `drop index build_unfinished`,
];
