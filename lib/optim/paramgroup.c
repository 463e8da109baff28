#include "optim/paramgroup.h"

#include <string.h>

/* glob[0..n) against the whole of s: after a mismatch the last * takes one character more. */
static bool glob(const char *g, size_t n, const char *s)
{
    const char *end = g + n, *star = NULL, *retry = NULL;
    while (*s) {
        if (g < end && *g == '*') {
            star = ++g;
            retry = s;
        } else if (g < end && (*g == '?' || *g == *s)) {
            g++;
            s++;
        } else if (star) {
            g = star;
            s = ++retry;
        } else {
            return false;
        }
    }
    while (g < end && *g == '*')
        g++;
    return g == end;
}

bool tsl_paramgroup_match(const char *pattern, const char *name)
{
    for (;; pattern++) {
        size_t n = strcspn(pattern, ",");
        if (glob(pattern, n, name))
            return true;
        pattern += n;
        if (!*pattern)
            return false;
    }
}

const struct tsl_paramgroup *tsl_paramgroup_of(const struct tsl_paramgroup *groups,
                                               size_t n, const struct tsl_param *p)
{
    for (size_t i = 0; i < n; i++)
        if (tsl_paramgroup_match(groups[i].pattern, p->name))
            return &groups[i];
    return NULL;
}
