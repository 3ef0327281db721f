/* Edit distance: how many bytes are put in, taken out or replaced to make one text of another; -1 without memory. */
#include <stddef.h>
#include <stdlib.h>

long edits(const char *a, size_t m, const char *b, size_t n) {
    size_t *row = malloc((n + 1) * sizeof *row);
    if (row == NULL) return -1;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    long distance = (long)row[n];
    free(row);
    return distance;
}
