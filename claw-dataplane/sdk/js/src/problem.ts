// A "no" of the store as an error whose problem document is typed by its name.

import type { Problems } from "./generated.js";

const URN = "urn:openclaw:problem:";

/** A problem document (RFC 9457). */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail?: string;
}

/** Thrown for every answer that is a problem. */
export class ProblemError extends Error {
  /** Last part of the problem's `type`: `sold-out`. */
  readonly problemName: string;

  constructor(
    /** The document as it came. */
    readonly problem: ProblemDocument,
    /** Seconds after which the store says to ask again. */
    readonly retryAfterS: number | undefined,
  ) {
    super(`${problem.title}: ${problem.detail ?? ""}`);
    this.name = "ProblemError";
    this.problemName = problem.type.startsWith(URN) ? problem.type.slice(URN.length) : problem.type;
  }
}

/** Whether an error is the problem of that name; its members are then typed. */
export function isProblem<N extends keyof Problems>(
  error: unknown,
  name: N,
): error is ProblemError & { readonly problem: Problems[N] } {
  return error instanceof ProblemError && error.problemName === name;
}
