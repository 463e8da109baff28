/* shuffle_lines - shuffles standard input in 4 MiB of memory, with the library: what one
 * needs to know of it is in shuf/shuffler.h. */
#include <stdio.h>
#include <stdlib.h>

#include "shuf/shuffler.h"

int main(void)
{
    struct tsl_shuffler_opts o = tsl_shuffler_defaults();
    struct tsl_shuffler *s = NULL;
    struct tsl_slice row;
    struct tsl_err err = { 0 };
    char *line = NULL;
    size_t cap = 0;
    o.seed = 1;
    o.memory = 4 << 20;
    int rc = tsl_shuffler_create(&s, &o, &err);
    for (ssize_t n; rc == 0 && (n = getline(&line, &cap, stdin)) > 0;)
        rc = tsl_shuffler_put(s, line, (size_t)n - (line[n - 1] == '\n'), &err);
    while (rc >= 0 && (rc = tsl_shuffler_next(s, &row, &err)) == 1)
        printf("%.*s\n", (int)row.len, (const char *)row.data);
    if (rc < 0)
        fprintf(stderr, "shuffle_lines: %s\n", err.msg);
    tsl_shuffler_destroy(s);
    free(line);
    return rc < 0;
}
