/** A file of this repository that goes into the image as it is, owned by root. */
export interface RecipeFile {
  /** Absolute path in the image; the same path below `runner/image/files/` is its source. */
  path: string;
  /** Permission bits, such as 0o755. */
  mode: number;
}

export interface RecipeUser {
  name: string;
  uid: number;
  shell: string;
}

/** All that decides what is in an image. Two equal recipes with equal files share one image. */
export interface Recipe {
  name: string;
  /** Debian release. */
  suite: string;
  /** Debian packages; what they depend on comes along, what they recommend does not. */
  packages: string[];
  /** Debian metapackage whose newest kernel is taken. */
  kernel: string;
  /** Kernel modules in the order in which they are loaded. No other module is in the image. */
  modules: string[];
  /** Arguments that the kernel is always started with. */
  kernelArguments: string[];
  users: RecipeUser[];
  files: RecipeFile[];
  /** Empty folders that are made: mount points and the like. */
  folders: RecipeFile[];
  /** Paths that are left out, with everything below them. `*` stands for any characters but `/`. */
  leftOut: string[];
}
