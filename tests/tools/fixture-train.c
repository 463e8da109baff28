/* fixture-train DIR...: do operations and models compute what the folders' files say?  Exit 0
 * when every tensor agrees, 1 when one does not, 2 when that could not be found out.
 *
 * A folder is laid out as shared/data/train/ops (OPERATION.safetensors), or holds such folders.  For each
 * tensor the largest error is printed beside what is allowed; -q: only what is wrong. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "support/trainops.h"

static bool fixture_quiet, fixture_broken;
static size_t fixture_wrong, fixture_right;

static void fixture_told(const char *where, const char *what, double error,
                         double allowed)
{
    bool good = error <= allowed; /* NaN is not */
    if (good)
        fixture_right++;
    else
        fixture_wrong++;
    if (!good || !fixture_quiet)
        printf("%-28s %-44s %.2e of %.0e%s\n", where, what, error, allowed,
               good ? "" : "   WRONG");
}

static void fixture_cannot(const char *where, const char *why)
{
    printf("%s: %s\n", where, why);
    fixture_broken = true;
}

/* ---- operations ---- */

static void told_op(void *ctx, const char *what, double error)
{
    /* what README.md there calls a fair bound for float32 */
    fixture_told(ctx, what, error, 1e-5);
}

static void fixture_op(const char *path, char *name)
{
    struct trainfix f;
    name[strlen(name) - strlen(".safetensors")] = 0;
    if (trainfix_open(&f, path) < 0)
        fixture_cannot(path, f.err.msg);
    else if (!trainop_record(&f, name))
        fixture_cannot(path, "an operation that is not known");
    else if (trainfix_compare(&f, 2, told_op, name) < 0)
        fixture_cannot(path, f.err.msg);
    trainfix_close(&f);
}

/* ---- folders ---- */

static void try_folder(const char *dir, unsigned depth)
{
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort);
    if (n < 0) {
        fixture_cannot(dir, "cannot be read");
        return;
    }
    for (int i = 0; i < n; i++) {
        char *name = names[i]->d_name;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (name[0] == '.')
            continue;
        if (tsl_ends_with(name, ".safetensors"))
            fixture_op(path, name);
        else if (names[i]->d_type == DT_DIR && depth < 3)
            try_folder(path, depth + 1);
    }
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-q"))
            fixture_quiet = true;
        else
            try_folder(argv[i], 0);
    printf("%zu right, %zu wrong\n", fixture_right, fixture_wrong);
    return fixture_broken || !(fixture_right + fixture_wrong) ? 2 : fixture_wrong != 0;
}
