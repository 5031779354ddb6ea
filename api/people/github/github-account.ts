/** An account at GitHub. What it is known by is site and id together: names change hands. */
export interface GithubAccount {
  /** Such as `https://github.com`. */
  site: string;
  /** GitHub's number of it. */
  id: string;
  /** Its name at this moment, for people. */
  login: string;
}

/** An account at GitHub, as GitHub itself tells Ebb of who is signed in there. */
export interface GithubUser extends GithubAccount {
  /** Its primary address in the form in which Ebb keeps addresses; undefined unless GitHub calls it verified. */
  email: string | undefined;
}
