/** A project knows the repository's own id at the source host: what Ebb put there is found after a rename, too. */
export const statements = [
  // Null where the host has no such id, or the project is from before and has no hook.
  `alter table project add column repository_id text`,
  `update project set repository_id = hook_binding.repository_id
    from hook_binding where hook_binding.project_id = project.id`,
];
