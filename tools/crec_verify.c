/* crec verify - is everything there, is every checksum right, does every record have the shape
 * that its schema says? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"
#include "crec.h"
#include "record/manifest.h"
#include "record/recset.h"

static const struct cli_opt opts[] = {
    CREC_FROM,
    CREC_MEMORY,
    CREC_OPT('v', "verbose", NULL, CLI_FLAG, &crec_given.verbose,
             "tell of each FILE that is good what it has"),
    { 0 },
};

/* A file of a set against its size and checksum in the manifest. */
static int check_file(const char *path, const struct tsl_recfile *want, uint8_t *buf,
                      size_t cap, struct tsl_err *err)
{
    static _Alignas(64) struct tsl_hasher64 h;
    struct tsl_file f;
    int64_t k;
    int rc = tsl_file_open(&f, path, err);
    if (rc < 0) /* the manifest says that it is there */
        return rc == TSL_EIO && !tsl_file_exists(path) ? TSL_EVERIFY : rc;
    tsl_hasher64_init(&h, 0);
    while ((k = tsl_file_read(&f, buf, cap, err)) > 0)
        tsl_hasher64_add(&h, buf, (size_t)k);
    rc = k < 0 ? (int)k : 0;
    if (rc == 0 && h.nbytes != want->bytes)
        rc = tsl_err_set(err, TSL_EVERIFY,
                         "%s: %" PRIu64 " bytes, but the manifest says %" PRIu64, f.name,
                         h.nbytes, want->bytes);
    if (rc == 0 && tsl_hasher64_end(&h) != want->xxh3)
        rc = tsl_err_set(err, TSL_EVERIFY,
                         "%s: checksum %016" PRIx64 ", but the manifest says %016" PRIx64,
                         f.name, tsl_hasher64_end(&h), want->xxh3);
    tsl_file_close(&f, NULL);
    return rc;
}

/* What the manifest that path leads to says of the set's files. */
static int check_files(const char *path, struct tsl_err *err)
{
    enum { CAP = 256 << 10, NAME = 4096 };
    static const char base[] = "/manifest.json";
    struct tsl_manifest m = { .format = NULL };
    struct tsl_source src = TSL_SOURCE_CLOSED;
    uint8_t *buf = tsl_pages_map(CAP, "a read buffer", err);
    char *name = tsl_mem_alloc(NAME, 1, "a name", err);
    int rc = buf && name ? 0 : TSL_ENOMEM;
    if (rc == 0) {
        snprintf(name, NAME, "%s%s", path, tsl_file_is_folder(path) ? base : "");
        rc = tsl_source_open(&src, name, 8 << 20, err);
    }
    if (rc == 0)
        rc = tsl_manifest_read(&m, name, &src, crec_given.memory, err);
    char *slash = rc == 0 ? strrchr(name, '/') : NULL;
    size_t dir = slash ? (size_t)(slash - name) + 1 : 0;
    for (size_t i = 0; rc == 0 && i < m.nshards; i++)
        for (size_t k = 0; rc == 0 && k < m.shards[i].nfiles; k++) {
            snprintf(name + dir, NAME - dir, "%s", m.shards[i].files[k].name);
            rc = check_file(name, &m.shards[i].files[k], buf, CAP, err);
        }
    if (rc == 0 && m.index.name) {
        snprintf(name + dir, NAME - dir, "%s", m.index.name);
        rc = check_file(name, &m.index, buf, CAP, err);
    }
    tsl_source_close(&src, NULL);
    tsl_manifest_fini(&m);
    tsl_mem_free(name);
    tsl_pages_unmap(buf, CAP);
    return rc;
}

static int check(const char *path, struct tsl_err *err)
{
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err why = { 0 };
    uint64_t n = 0, told;
    int rc = crec_open(&r, path, err);
    if (rc < 0)
        return rc;
    bool is_set = strcmp(tsl_recreader_format(r), tsl_rec_set.name) == 0;
    bool known = tsl_recreader_count(r, &told, &why) == 0;
    if (is_set)
        rc = check_files(path, err);
    while (rc == 0 && (rc = tsl_recreader_next(r, &rec, err)) == 1) {
        n++;
        rc = 0;
    }
    if (rc == 0 && known && told != n)
        rc = tsl_err_set(err, TSL_EVERIFY,
                         "%s: %" PRIu64 " records, but its index says %" PRIu64,
                         tsl_quote(path).s, n, told);
    if (rc == 0 && crec_given.verbose)
        printf("%s: %s, %" PRIu64 " records\n", tsl_quote(path).s,
               tsl_recreader_format(r), n);
    tsl_recreader_destroy(r);
    return rc;
}

static int verify(char **operands, size_t n, struct tsl_err *err)
{
    int status = 0;
    for (size_t i = 0; i < (n ? n : 1); i++) {
        struct tsl_err why = { 0 };
        int verdict = crec_verdict(check(crec_input(operands, n, i), &why), &why);
        status = verdict > status ? verdict : status;
    }
    int rc = cli_finish(crec_flush(err), err);
    return rc ? 2 : status;
}

const struct crec_command crec_verify = {
    .name = "verify",
    .usage = "[OPTION]... [FILE]...",
    .summary =
        "Read all of each FILE: its checksums, its shape, its end; of a set all files "
        "that\nits manifest names.",
    .notes =
        "A file of a format without checksums is good when it can be read to its end.\n"
        "Exit status 0: all are good; 1: one is bad; 2: one could not be checked.\n"
        "\n",
    .examples = "Examples:\n"
                "  crec verify train && echo whole\n",
    .opts = opts,
    .run = verify,
    .checks = true,
};
