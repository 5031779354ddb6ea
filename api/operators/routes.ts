import { OperatorOverview } from '../../contract/operator.ts';
import type { Routes } from '../http/app-type.ts';
import { overview } from './overview.ts';

/** /v1/operator: for who operates Ebb. The answer's schema is the list of what may be in it; nothing else is sent. */
export const operatorRoutes: Routes = async (app, { context }) => {
  app.get(
    '/v1/operator/overview',
    {
      schema: {
        tags: ['operators'],
        response: { 200: OperatorOverview },
      },
    },
    async () => await overview(context),
  );
};
