/**
 * What another runner needs to go on with an attempt: what opens its VM, sealed to the project, and where its log stands.
 */
export const statements = [
  `alter table build
    add column vm_handle text,
    add column log_cursor text`,
];
