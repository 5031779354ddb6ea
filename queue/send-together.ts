/**
 * Makes a function that answers one call out of one that answers many: calls of the same turn of the event loop go
 * together, at most `most` at once, and fail together.
 */
export function sendTogether<Call, Answer>(
  most: number,
  send: (calls: Call[]) => Promise<Answer[]>,
): (call: Call) => Promise<Answer> {
  let gathered: { call: Call; answer: PromiseWithResolvers<Answer> }[] = [];

  const flush = () => {
    const sent = gathered;
    gathered = [];
    if (sent.length === 0) return;
    send(sent.map(({ call }) => call)).then(
      (answers) => {
        for (const [index, { answer }] of sent.entries()) answer.resolve(answers[index] as Answer);
      },
      (error) => {
        for (const { answer } of sent) answer.reject(error);
      },
    );
  };

  return (call) => {
    const answer = Promise.withResolvers<Answer>();
    // After all that is due by now, and before the client sends what it has.
    if (gathered.length === 0) process.nextTick(flush);
    gathered.push({ call, answer });
    if (gathered.length === most) flush();
    return answer.promise;
  };
}
