import { ebbProvider } from './ebb-provider.ts';
import { runPlugin } from './plugin/run-plugin.ts';

runPlugin(ebbProvider(process.env), process.env);
