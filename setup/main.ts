import { installMissing } from './system-packages.ts';

// Each way in, the programs it needs and what it starts once they are there.
const goals = {
  demo: { needs: ['run'], start: async () => (await import('../cli/demo/main.ts')).main() },
  test: { needs: ['run', 'measured', 'test'], start: async () => (await import('./check.ts')).main() },
} as const;

const goal = goals[process.argv[2] as keyof typeof goals];
if (!goal) {
  console.error('usage: setup.sh demo|test');
  process.exit(2);
}
if (!(await installMissing(goal.needs))) process.exit(1);
process.exitCode = await goal.start();
