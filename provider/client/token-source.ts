/** A token and for how long it is good. */
export interface IssuedToken {
  accessToken: string;
  expiresInSeconds: number;
}

export interface TokenSource {
  /** A token that is good for some time yet. */
  current(): Promise<string>;
  /** Forgets a token that the API refused, unless it was replaced in the meantime. */
  discard(token: string): void;
}

const shareOfLifeKept = 0.2;
const longestMarginMilliseconds = 60_000;

/** Keeps one token, renews it before it expires, and asks for one at a time. */
export function createTokenSource(
  issue: () => Promise<IssuedToken>,
  now: () => number = () => performance.now(),
): TokenSource {
  let held: { token: string; renewAt: number } | undefined;
  let asked: Promise<string> | undefined;

  const renew = async () => {
    const started = now();
    const { accessToken, expiresInSeconds } = await issue();
    const life = expiresInSeconds * 1000;
    const margin = Math.min(life * shareOfLifeKept, longestMarginMilliseconds);
    held = { token: accessToken, renewAt: started + life - margin };
    return accessToken;
  };

  return {
    async current() {
      if (held && now() < held.renewAt) return held.token;
      asked ??= renew().finally(() => {
        asked = undefined;
      });
      return asked;
    },
    discard(token) {
      if (held?.token === token) held = undefined;
    },
  };
}
