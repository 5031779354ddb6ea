import pg from 'pg';

/**
 * A connection to PostgreSQL that is closed when a query on it is not answered within `answerMs`. The server's own limits do not
 * help where packets are lost on the way, and what is asked for next on the same connection would wait behind it.
 */
export function impatientClient(answerMs: number): typeof pg.Client {
  return class extends pg.Client {
    override query = ((...asked: Parameters<pg.Client['query']>) => {
      const answer: unknown = super.query(...asked);
      if (!(answer instanceof Promise)) return answer;
      // With a query under way this ends the connection at once, and fails the query.
      const timer = setTimeout(() => void this.end(), answerMs);
      const answered = () => clearTimeout(timer);
      answer.then(answered, answered);
      return answer;
    }) as pg.Client['query'];
  };
}
