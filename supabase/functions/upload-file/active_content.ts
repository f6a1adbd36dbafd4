// What a browser does with a file that it opens by itself: an SVG or XHTML file runs its scripts under the address of the
// project, which self-hosted installations share with their dashboard.

/** Types that run nothing and are worth showing, with parameters that hide no other type. */
const INERT =
  /^(image\/(?![\w.+-]*(svg|xml))[\w.+-]+|(audio|video)\/[\w.+-]+|text\/(plain|css|csv|markdown)|application\/(json|pdf))(\s*;\s*[\w-]+=[\w.+-]+)*$/i;

/** May a browser show what Storage serves as this, or has it to save it? */
export const runsNothing = (servedAs: string | null | undefined): boolean => INERT.test((servedAs ?? "").trim());
