/* A verdict as a page: one HTML file that needs nothing else, with the timeline of the history, the
 * contradiction or the order in it, and the lattice of levels. What the page does is in explain/
 * (page.html, style.css, *.js); this writes the page around its data.
 *
 * Nothing of the history becomes markup: all of it stands in one JSON text in which no "<" is left,
 * and the page's script puts it into text nodes and onto a canvas.
 */
#ifndef CAIRN_CHECK_EXPLAIN_H
#define CAIRN_CHECK_EXPLAIN_H

#include "check/verdict.h"

#define EXPLAIN_OPS_MAX 200000u
#define EXPLAIN_VALUE_BYTES_MAX ((size_t)1 << 20) /* a longer value is cut, and says so */

struct explanation {
    const struct history *history; /* times are shown when they were kept */
    const char *name;              /* of the file, for people */
    const struct verdict *verdict; /* of the level that was asked */
    const struct verdict *levels;  /* LEVEL_COUNT of check_place; NULL: no lattice */
    const struct buf *basis;       /* lines: warnings, what was judged; may be NULL */
    uint32_t ops_max;              /* of more, those around the evidence; 0: EXPLAIN_OPS_MAX */
};

void explain_page(const struct explanation *explanation, struct buf *out);

#endif
