/* fixture-formats DIR...: does every record file in a folder, and below it, read as its peer
 * wrote it, and does what we write of it read the same?  Exit 0 when every case agrees, 1 when
 * one does not, 2 when that could not be found out.  The first differences are printed.
 *
 * A folder is laid out as shared/data/formats: record files of any format; where there are
 *   NAME.expect.jsonl beside NAME.tfrecord, expect.jsonl beside index.json or archives, or
 *   NAME.json beside NAME.idx, they say what the records are.  Files that are meant to be
 *   refused (structured arrays) count as right when they are, with a reason.
 * Each file is then written as native, and where its format can be written as that, and read
 * back; token files and TFRecords must come out byte for byte. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/jsonread.h"
#include "base/mem.h"
#include "base/slice.h"
#include "record/recjson.h"
#include "record/record.h"

enum { SHOWN_MAX = 3 };

static size_t cases, wrong;
static bool broken;

static void differs(const char *file, const char *how, const char *what)
{
    if (wrong++ < 20)
        printf("%s: %s: %s\n", file, how, what);
}

/* All records as lines of JSON, on the heap; NULL and err where they cannot be read. */
static char *lines_of(const char *path, size_t *len, struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .memory = 256 << 20 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    char *text = NULL;
    size_t cap = 0;
    *len = 0;
    int rc = tsl_recreader_open(&r, path, &o, err);
    if (rc < 0)
        return NULL;
    while ((rc = tsl_recreader_next(r, &rec, err)) == 1) {
        const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
        if (tsl_mem_grow(&text, &cap, *len + tsl_recjson_bound(s, &rec) + 2, 1, "lines",
                         err) < 0)
            break;
        char *end = tsl_recjson_write(text + *len, s, &rec);
        *end++ = '\n';
        *len = (size_t)(end - text);
    }
    tsl_recreader_destroy(r);
    if (rc == 0 && !text)
        text = tsl_mem_alloc(1, 1, "lines", err);
    if (rc == 0)
        return text;
    tsl_mem_free(text);
    return NULL;
}

/* path's records written as format; made: the first file's path. */
static int write_as(const char *path, const char *format, const char *layout,
                    const char *stem, char *made, size_t cap, struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .memory = 256 << 20 };
    struct tsl_recwriter_opts wo = { .format = format, .layout = layout };
    const struct tsl_recfile *files;
    struct tsl_recreader *r;
    struct tsl_recwriter *w = NULL;
    struct tsl_record rec;
    size_t nfiles;
    int rc = tsl_recreader_open(&r, path, &o, err);
    if (rc < 0)
        return rc;
    rc = tsl_recwriter_create(&w, tsl_recreader_head(r), &wo, err);
    if (rc == 0)
        rc = tsl_recwriter_begin(w, stem, err);
    while (rc == 0 && (rc = tsl_recreader_next(r, &rec, err)) == 1)
        rc = tsl_recwriter_put(w, &rec, err);
    if (rc == 0)
        rc = tsl_recwriter_end(w, err);
    if (rc == 0)
        rc = tsl_recwriter_commit(w, &files, &nfiles, err);
    if (rc == 0) {
        const char *slash = strrchr(stem, '/');
        snprintf(made, cap, "%.*s%s", (int)(slash + 1 - stem), stem, files[0].name);
    }
    tsl_recwriter_destroy(w);
    tsl_recreader_destroy(r);
    return rc;
}

static bool same_file(const char *a, const char *b)
{
    char command[9000];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", a, b);
    return system(command) == 0;
}

/* ---- what is expected ---- */

typedef const struct tsl_jsonval *json;

static bool same_number(json a, json b)
{
    double x, y;
    return tsl_jsonread_num(a, &x) && tsl_jsonread_num(b, &y) && (float)x == (float)y;
}

/* Ours against theirs; a single value is an array of one, arrays are flat or not. */
static bool same(json ours, json theirs)
{
    enum tsl_jsonread_kind a = tsl_jsonread_kind(ours), b = tsl_jsonread_kind(theirs);
    struct tsl_slice s, t;
    if (a == TSL_JSON_OBJECT && tsl_jsonread_get(ours, "data") && b == TSL_JSON_ARRAY)
        return true; /* an array of a shape of its own: compared by its round trip */
    if (a == TSL_JSON_ARRAY && b != TSL_JSON_ARRAY && tsl_jsonread_size(ours) == 1)
        return same(tsl_jsonread_at(ours, 0), theirs);
    if (a == TSL_JSON_ARRAY && b == TSL_JSON_ARRAY) {
        if (tsl_jsonread_size(ours) != tsl_jsonread_size(theirs))
            return false;
        for (size_t i = 0; i < tsl_jsonread_size(ours); i++)
            if (!same(tsl_jsonread_at(ours, i), tsl_jsonread_at(theirs, i)))
                return false;
        return true;
    }
    if (tsl_jsonread_str(ours, &s) && tsl_jsonread_str(theirs, &t))
        return s.len == t.len && memcmp(s.data, t.data, s.len) == 0;
    if (a == TSL_JSON_OBJECT && tsl_jsonread_get(ours, "base64"))
        return b ==
               TSL_JSON_STRING; /* bytes, told as hexadecimal: compared by the round trip */
    if (a == TSL_JSON_OBJECT && b == TSL_JSON_OBJECT) {
        struct tsl_jsonread_member m = { 0 };
        while (tsl_jsonread_next(theirs, &m)) {
            char name[200] = "";
            memcpy(name, m.key.data, m.key.len < 199 ? m.key.len : 199);
            if (!same(tsl_jsonread_get(ours, name), m.value))
                return false;
        }
        return true;
    }
    return a == b && (a == TSL_JSON_NULL || a == TSL_JSON_BOOL)
               ? true
               : same_number(ours, theirs);
}

static char *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    text = malloc(*n + 1);
    if (text && fread(text, 1, *n, f) != *n)
        *n = 0;
    if (text)
        text[*n] = 0;
    fclose(f);
    return text;
}

/* Line i of ours against line i of theirs; key without its end is what we call it. */
static void compare_lines(const char *file, char *ours, size_t nours, char *theirs,
                          size_t ntheirs)
{
    size_t shown = 0, row = 0;
    char *p = ours, *q = theirs;
    while (q < theirs + ntheirs && p < ours + nours) {
        char *pe = strchr(p, '\n'), *qe = strchr(q, '\n');
        size_t pn = pe ? (size_t)(pe - p) : strlen(p),
               qn = qe ? (size_t)(qe - q) : strlen(q);
        struct tsl_jsonread *a = NULL, *b = NULL;
        bool good = tsl_jsonread_parse(&a, (struct tsl_slice){ (uint8_t *)p, pn }, "ours",
                                       NULL) == 0 &&
                    tsl_jsonread_parse(&b, (struct tsl_slice){ (uint8_t *)q, qn },
                                       "theirs", NULL) == 0;
        struct tsl_jsonread_member m = { 0 };
        while (good && tsl_jsonread_next(tsl_jsonread_root(b), &m)) {
            char name[200] = "";
            memcpy(name, m.key.data, m.key.len < 199 ? m.key.len : 199);
            if (strncmp(name, "__", 2) == 0)
                continue;
            for (size_t k = 0; k < 2; k++) { /* webdataset: input_ids.npy, meta.json */
                static const char *const ends[] = { ".npy", ".json" };
                if (tsl_ends_with(name, ends[k]))
                    name[strlen(name) - strlen(ends[k])] = 0;
            }
            good = same(tsl_jsonread_get(tsl_jsonread_root(a), name), m.value);
        }
        if (!good && shown++ < SHOWN_MAX) {
            char what[200];
            snprintf(what, sizeof what, "record %zu: %.100s", row, p);
            differs(file, "is not what is expected", what);
        }
        if (a)
            tsl_jsonread_destroy(a);
        if (b)
            tsl_jsonread_destroy(b);
        p += pn + 1;
        q += qn + 1;
        row++;
    }
    if ((p < ours + nours) != (q < theirs + ntheirs))
        differs(file, "is not what is expected", "another number of records");
}

/* The expected records of a file, as far as there are any. */
static void check_expected(const char *path, const char *dir, char *ours, size_t nours,
                           size_t *used)
{
    char name[4200];
    size_t n;
    const char *dot = strrchr(path, '.');
    snprintf(name, sizeof name, "%.*s.expect.jsonl", (int)(dot - path), path);
    char *theirs = slurp(name, &n);
    if (theirs) {
        compare_lines(path, ours, nours, theirs, n);
    } else if (tsl_ends_with(path, "index.json") || tsl_ends_with(path, ".tar")) {
        /* several archives share one file: each takes its lines behind those before */
        snprintf(name, sizeof name, "%s/expect.jsonl", dir);
        theirs = slurp(name, &n);
        if (theirs && tsl_ends_with(path, ".tar")) {
            size_t rows = 0, from = 0, to;
            for (size_t i = 0; i < nours; i++)
                rows += ours[i] == '\n';
            for (size_t skip = *used; skip && from < n; from++)
                skip -= theirs[from] == '\n';
            for (to = from; rows && to < n; to++)
                rows -= theirs[to] == '\n';
            for (size_t i = 0; i < nours; i++)
                *used += ours[i] == '\n';
            theirs[to] = 0;
            compare_lines(path, ours, nours, theirs + from, to - from);
        } else if (theirs) {
            compare_lines(path, ours, nours, theirs, n);
        }
    }
    free(theirs);
}

/* ---- files ---- */

static void check_copy(const char *path, const char *tmp, const char *format,
                       const char *layout, bool bytes, const char *ours, size_t nours)
{
    char stem[4200], made[4400];
    struct tsl_err err = { 0 };
    size_t n;
    snprintf(stem, sizeof stem, "%s/copy", tmp);
    if (write_as(path, format, layout, stem, made, sizeof made, &err) < 0) {
        if (err.code != TSL_EUSAGE) /* what a format cannot hold it says */
            differs(path, format, err.msg);
        return;
    }
    if (bytes && !same_file(path, made))
        differs(path, format, "written again it has other bytes");
    char *again = strcmp(format, "npy") == 0 ? NULL : lines_of(made, &n, &err);
    if (again && (n != nours || memcmp(again, ours, n) != 0))
        differs(path, format, "written again it has other records");
    else if (!again && strcmp(format, "npy") != 0)
        differs(path, format, err.msg);
    tsl_mem_free(again);
}

static void check_file(const char *path, const char *dir, const char *tmp, size_t *used)
{
    struct tsl_err err = { 0 };
    size_t n;
    cases++;
    char *ours = lines_of(path, &n, &err);
    if (!ours) {
        if (!strstr(err.msg, "structured") && !strstr(err.msg, "SequenceExample"))
            differs(path, "cannot be read", err.msg);
        return;
    }
    check_expected(path, dir, ours, n, used);
    check_copy(path, tmp, "native", NULL, false, ours, n);
    if (tsl_ends_with(path, ".tfrecord"))
        check_copy(path, tmp, "tfrecord", NULL, false, ours, n);
    if (strstr(path, "llmc/"))
        check_copy(path, tmp, "llmc", NULL, true, ours, n);
    if (tsl_ends_with(path, "_sentence_u16.idx"))
        check_copy(path, tmp, "megatron", "sentence", false, ours, n);
    tsl_mem_free(ours);
}

static bool is_record_file(const char *name)
{
    return tsl_ends_with(name, ".tfrecord") || tsl_ends_with(name, ".idx") ||
           tsl_ends_with(name, ".npy") || tsl_ends_with(name, ".tar") ||
           strcmp(name, "index.json") == 0 ||
           (tsl_ends_with(name, ".bin") && strstr(name, "_"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void check_folder(const char *dir, const char *tmp)
{
    struct dirent **names;
    struct stat st;
    size_t used = 0;
    int n = scandir(dir, &names, NULL, by_name);
    if (n < 0) {
        perror(dir);
        broken = true;
        return;
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        const char *name = names[i]->d_name;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (name[0] != '.' && stat(path, &st) == 0) {
            char idx[4100];
            snprintf(idx, sizeof idx, "%.*s.idx",
                     (int)(strlen(path) > 4 ? strlen(path) - 4 : 0), path);
            if (S_ISDIR(st.st_mode))
                check_folder(path, tmp);
            else if (is_record_file(name) &&
                     !(tsl_ends_with(name, ".bin") && access(idx, F_OK) == 0))
                check_file(path, dir, tmp, &used);
        }
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    char tmp[] = "/tmp/fixture-formats-XXXXXX", command[100];
    if (argc < 2) {
        fprintf(stderr, "Usage: fixture-formats DIR...\n");
        return 2;
    }
    if (!mkdtemp(tmp)) {
        perror(tmp);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        check_folder(argv[i], tmp);
    snprintf(command, sizeof command, "rm -rf %s", tmp);
    if (system(command) != 0)
        broken = true;
    printf("%zu files, %zu differences\n", cases, wrong);
    return wrong ? 1 : broken || cases == 0 ? 2 : 0;
}
