/** Name of the team that the keys of runners and operators belong to; it owns no projects. */
export const operators = 'ebb-operators';
