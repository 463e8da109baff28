#include "train/checkpoint.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/jsonread.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/outfile.h"
#include "io/outfolder.h"

/* state.json ends with its own checksum: XXH3-64 of all before SELF. */
#define SELF ",\n\"self\": \""
#define SELF_END "\"\n}\n"
enum {
    VERSION = 1,
    HEX = 16,
    SELF_BYTES = sizeof SELF - 1 + HEX + sizeof SELF_END - 1,
    TEXT_MAX = 16 << 20 /* bytes of a config.json or state.json */
};

struct tsl_ckpt_own {
    struct tsl_jsonread *doc;
    struct tsl_ckpt_data *data;
};

static const char *const files[] = { TSL_CKPT_MODEL, TSL_CKPT_CONFIG,
                                     TSL_CKPT_OPTIMIZER };
enum { NFILES = sizeof files / sizeof files[0] };

/* As printf, on the heap. */
static char *text_of(struct tsl_err *err, const char *format, ...) TSL_PRINTF(2, 3);
static char *text_of(struct tsl_err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *s = tsl_mem_alloc((size_t)n + 1, 1, "a name", err);
    va_start(args, format);
    if (s)
        vsnprintf(s, (size_t)n + 1, format, args);
    va_end(args);
    return s;
}

static char *folder_of(const char *run, uint64_t step, const char *end,
                       struct tsl_err *err)
{
    return text_of(err, "%s/checkpoint-%08" PRIu64 "%s", run, step, end);
}

static int remove_folder(const char *run, uint64_t step, const char *end,
                         struct tsl_err *err)
{
    char *path = folder_of(run, step, end, err);
    int rc = path ? tsl_outfolder_drop(path, err) : TSL_ENOMEM;
    tsl_mem_free(path);
    return rc;
}

/* ---- saving ---- */

static int write_text(const char *dir, const char *name, struct tsl_slice text,
                      uint64_t *hash, struct tsl_err *err)
{
    struct tsl_outfile o = { .file = TSL_FILE_INIT };
    char *path = text_of(err, "%s/%s", dir, name);
    int rc = path ? tsl_outfile_open(&o, path, false, err) : TSL_ENOMEM;
    o.file.nodrop = true; /* a small file */
    if (rc == 0)
        rc = tsl_file_write(&o.file, text.data, text.len, err);
    if (rc == 0)
        rc = tsl_outfile_done(&o, err);
    if (rc == 0)
        rc = tsl_outfile_commit(&o, err);
    if (rc == 0)
        *hash = tsl_hash64(text.data, text.len, 0);
    tsl_outfile_close(&o);
    tsl_mem_free(path);
    return rc;
}

static int write_arrays(const char *dir, const char *name,
                        const struct tsl_ckpt_array *arrays, size_t n, uint64_t *hash,
                        struct tsl_err *err)
{
    /* transformers asks for it before it opens a file */
    const struct tsl_safetensors_string meta = { "format", "pt" };
    struct tsl_safetensors_array *to =
        tsl_mem_alloc(n + 1, sizeof *to, "tensors of a checkpoint", err);
    char *path = text_of(err, "%s/%s", dir, name);
    int rc = to && path ? 0 : TSL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        to[i] = (struct tsl_safetensors_array){ arrays[i].name, arrays[i].type,
                                                arrays[i].rank, arrays[i].dim,
                                                arrays[i].data };
    if (rc == 0)
        rc = tsl_safetensors_write(path, to, n, &meta, 1, hash, err);
    tsl_mem_free(to);
    tsl_mem_free(path);
    return rc;
}

static void put_hex(struct tsl_json *j, const char *key, uint64_t value)
{
    char s[HEX + 1];
    snprintf(s, sizeof s, "%016" PRIx64, value);
    tsl_json_str(j, key, s);
}

static int write_state(const char *dir, const struct tsl_ckpt_state *s,
                       const uint64_t *hashes, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    uint64_t own;
    tsl_json_open(&j, NULL, '{');
    tsl_json_u64(&j, "format", VERSION);
    tsl_json_str(&j, "version", s->version ? s->version : "");
    tsl_json_u64(&j, "step", s->step);
    tsl_json_u64(&j, "samples", s->samples);
    tsl_json_u64(&j, "tokens", s->tokens);
    put_hex(&j, "seed", s->seed);
    put_hex(&j, "options", s->options);
    tsl_json_open(&j, "data", '[');
    for (size_t i = 0; i < s->ndata; i++) {
        tsl_json_open(&j, NULL, '{');
        tsl_json_str(&j, "name", s->data[i].name);
        put_hex(&j, "xxh3", s->data[i].hash);
        tsl_json_close(&j, '}');
    }
    tsl_json_close(&j, ']');
    tsl_json_str(&j, "extra", s->extra ? s->extra : "");
    tsl_json_open(&j, "files", '{');
    for (size_t i = 0; i < NFILES; i++)
        put_hex(&j, files[i], hashes[i]);
    tsl_json_close(&j, '}');
    put_hex(&j, "self", j.failed ? 0 : tsl_hash64(j.text, j.len, 0));
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    if (rc == 0)
        rc = write_text(dir, TSL_CKPT_STATE,
                        (struct tsl_slice){ (const uint8_t *)j.text, j.len }, &own, err);
    tsl_json_fini(&j);
    return rc;
}

static int write_files(const char *dir, const struct tsl_ckpt_content *c,
                       struct tsl_err *err)
{
    uint64_t hashes[NFILES];
    const struct tsl_slice config = { (const uint8_t *)c->config, strlen(c->config) };
    bool made;
    int rc = tsl_outfolder_make(dir, &made, err);
    if (rc == 0)
        rc = write_arrays(dir, TSL_CKPT_MODEL, c->model, c->nmodel, &hashes[0], err);
    if (rc == 0)
        rc = write_text(dir, TSL_CKPT_CONFIG, config, &hashes[1], err);
    if (rc == 0)
        rc = write_arrays(dir, TSL_CKPT_OPTIMIZER, c->optimizer, c->noptimizer,
                          &hashes[2], err);
    return rc < 0 ? rc : write_state(dir, &c->state, hashes, err);
}

/* Puts a whole folder in its place.  old is needed where another stands there already. */
static int put_in_place(const char *tmp, const char *place, const char *old,
                        struct tsl_err *err)
{
    bool moved = tsl_file_exists(place);
    int rc = moved ? tsl_outfolder_drop(old, err) : 0;
    if (rc == 0 && moved)
        rc = tsl_outfolder_rename(place, old, err);
    if (rc == 0)
        rc = tsl_outfolder_rename(tmp, place, err);
    if (rc < 0 && moved && tsl_file_exists(old) && !tsl_file_exists(place))
        (void)tsl_outfolder_rename(old, place, NULL);
    return rc;
}

int tsl_ckpt_save(const char *run, const struct tsl_ckpt_content *c, struct tsl_err *err)
{
    uint64_t step = c->state.step;
    char *place = folder_of(run, step, "", err), *tmp = folder_of(run, step, ".tmp", err),
         *old = folder_of(run, step, ".old", err);
    int rc = place && tmp && old ? tsl_outfolder_drop(tmp, err) : TSL_ENOMEM;
    if (rc == 0)
        rc = write_files(tmp, c, err);
    if (rc == 0)
        rc = put_in_place(tmp, place, old, err);
    if (rc < 0 && tmp)
        (void)tsl_outfolder_drop(tmp, NULL);
    else if (rc == 0)
        (void)tsl_outfolder_drop(old, NULL); /* the next one tries again */
    tsl_mem_free(place);
    tsl_mem_free(tmp);
    tsl_mem_free(old);
    return rc;
}

/* The step of a checkpoint's name, with that end; false: it is none. */
static bool step_of(const char *name, const char *end, uint64_t *step)
{
    char back[64];
    static const char head[] = "checkpoint-";
    if (strncmp(name, head, sizeof head - 1) != 0)
        return false;
    *step = 0;
    for (const char *p = name + sizeof head - 1; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(*step, (uint64_t)10, step) ||
            __builtin_add_overflow(*step, (uint64_t)(*p - '0'), step))
            return false;
    snprintf(back, sizeof back, "%s%08" PRIu64 "%s", head, *step, end);
    return strcmp(back, name) == 0;
}

/* As remove_folder, so that at no time half of it is there under its name. */
static int retire(const char *run, uint64_t step, struct tsl_err *err)
{
    char *place = folder_of(run, step, "", err),
         *gone = folder_of(run, step, ".gone", err);
    int rc = place && gone ? tsl_outfolder_drop(gone, err) : TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_outfolder_rename(place, gone, err);
    if (rc == 0)
        rc = tsl_outfolder_drop(gone, err);
    tsl_mem_free(place);
    tsl_mem_free(gone);
    return rc;
}

int tsl_ckpt_prune(const char *run, uint64_t step, uint64_t keep_last,
                   uint64_t keep_every, struct tsl_err *err)
{
    struct tsl_outfolder_names names;
    uint64_t at, kept = 1; /* that of step */
    int rc = tsl_outfolder_names(&names, run, err);
    /* names of more digits than eight come first by bytes, but not by number */
    for (uint64_t from = step; rc == 0 && keep_last;) {
        uint64_t next = 0;
        bool found = false;
        for (size_t i = 0; i < names.n; i++)
            if (step_of(names.name[i], "", &at) && at < from && (!found || at > next)) {
                next = at;
                found = true;
            }
        if (!found)
            break;
        from = next;
        if (kept < keep_last)
            kept++;
        else if (!keep_every || next % keep_every)
            rc = retire(run, next, err);
    }
    for (size_t i = 0; i < names.n && rc == 0; i++)
        if (step_of(names.name[i], ".tmp", &at))
            rc = remove_folder(run, at, ".tmp", err);
        else if (step_of(names.name[i], ".gone", &at))
            rc = remove_folder(run, at, ".gone", err);
    tsl_outfolder_names_fini(&names);
    return rc;
}

int tsl_ckpt_drop_from(const char *run, uint64_t step, struct tsl_err *err)
{
    struct tsl_outfolder_names names;
    uint64_t at;
    int rc = tsl_outfolder_names(&names, run, err);
    for (size_t i = 0; i < names.n && rc == 0; i++)
        if (step_of(names.name[i], "", &at) && at >= step)
            rc = retire(run, at, err);
        else if (step_of(names.name[i], ".old", &at) && at >= step)
            rc = remove_folder(run, at, ".old", err);
    tsl_outfolder_names_fini(&names);
    return rc;
}

/* ---- loading ---- */

/* The whole of a small file, a NUL behind it, for tsl_mem_free. */
static int read_text(char **to, size_t *n, const char *dir, const char *name,
                     struct tsl_err *err)
{
    struct tsl_file f = TSL_FILE_INIT;
    char *path = text_of(err, "%s/%s", dir, name), *text = NULL;
    int rc = path ? tsl_file_open(&f, path, err) : TSL_ENOMEM;
    if (rc == 0 && (!f.regular || f.size > TEXT_MAX))
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: no file of at most %d bytes", f.name,
                         TEXT_MAX);
    if (rc == 0) {
        text = tsl_mem_alloc(f.size + 1, 1, "a text", err);
        rc = text ? tsl_file_pread(&f, text, f.size, 0, err) : TSL_ENOMEM;
    }
    if (rc == 0) {
        *to = text;
        *n = f.size;
        text = NULL;
    }
    tsl_mem_free(text);
    tsl_mem_free(path);
    tsl_file_close(&f, NULL);
    return rc;
}

static bool hex(const struct tsl_jsonval *v, uint64_t *to)
{
    struct tsl_slice s;
    if (!tsl_jsonread_str(v, &s) || s.len != HEX)
        return false;
    *to = 0;
    for (size_t i = 0; i < HEX; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, s.data[i]);
        if (!at || !s.data[i])
            return false;
        *to = *to << 4 | (uint64_t)(at - digits);
    }
    return true;
}

static bool whole(const struct tsl_jsonval *v, const char *key, uint64_t *to)
{
    int64_t n;
    if (!tsl_jsonread_int(tsl_jsonread_get(v, key), &n) || n < 0)
        return false;
    *to = (uint64_t)n;
    return true;
}

static bool read_data(struct tsl_ckpt *k, const struct tsl_jsonval *v)
{
    struct tsl_slice name;
    for (size_t i = 0; i < k->state.ndata; i++) {
        const struct tsl_jsonval *d = tsl_jsonread_at(v, i);
        if (!tsl_jsonread_str(tsl_jsonread_get(d, "name"), &name) ||
            !hex(tsl_jsonread_get(d, "xxh3"), &k->own->data[i].hash))
            return false;
        k->own->data[i].name = (const char *)name.data;
    }
    k->state.data = k->own->data;
    return tsl_jsonread_kind(v) == TSL_JSON_ARRAY;
}

/* The members of state.json, its checksum excepted. */
static int read_members(struct tsl_ckpt *k, uint64_t *hashes, struct tsl_err *err)
{
    const struct tsl_jsonval *root = tsl_jsonread_root(k->own->doc);
    struct tsl_ckpt_state *s = &k->state;
    struct tsl_slice version, extra;
    uint64_t format;
    if (!whole(root, "format", &format) || format != VERSION)
        return tsl_err_set(err, TSL_EFORMAT, "%s/%s: not of format %d",
                           tsl_quote(k->path).s, TSL_CKPT_STATE, VERSION);
    s->ndata = tsl_jsonread_size(tsl_jsonread_get(root, "data"));
    k->own->data = tsl_mem_alloc(s->ndata + 1, sizeof *k->own->data, "data sets", err);
    if (!k->own->data)
        return TSL_ENOMEM;
    bool good = whole(root, "step", &s->step) && whole(root, "samples", &s->samples) &&
                whole(root, "tokens", &s->tokens) &&
                hex(tsl_jsonread_get(root, "seed"), &s->seed) &&
                hex(tsl_jsonread_get(root, "options"), &s->options) &&
                tsl_jsonread_str(tsl_jsonread_get(root, "version"), &version) &&
                tsl_jsonread_str(tsl_jsonread_get(root, "extra"), &extra) &&
                read_data(k, tsl_jsonread_get(root, "data"));
    for (size_t i = 0; i < NFILES; i++)
        good = good && hex(tsl_jsonread_get(tsl_jsonread_get(root, "files"), files[i]),
                           &hashes[i]);
    if (!good)
        return tsl_err_set(err, TSL_EFORMAT, "%s/%s: not the state of a run",
                           tsl_quote(k->path).s, TSL_CKPT_STATE);
    s->version = (const char *)version.data;
    s->extra = (const char *)extra.data;
    return 0;
}

static int read_state(struct tsl_ckpt *k, uint64_t *hashes, struct tsl_err *err)
{
    char *text, want[SELF_BYTES + 1];
    size_t n;
    int rc = read_text(&text, &n, k->path, TSL_CKPT_STATE, err);
    if (rc < 0)
        return rc;
    size_t before = n < SELF_BYTES ? 0 : n - SELF_BYTES;
    snprintf(want, sizeof want, SELF "%016" PRIx64 SELF_END, tsl_hash64(text, before, 0));
    char *name = text_of(err, "%s/%s", tsl_quote(k->path).s, TSL_CKPT_STATE);
    if (!name)
        rc = TSL_ENOMEM;
    else if (n < SELF_BYTES || memcmp(text + before, want, SELF_BYTES) != 0)
        rc = tsl_err_set(err, TSL_EVERIFY, "%s: its checksum does not fit", name);
    else
        rc = tsl_jsonread_parse(
            &k->own->doc, (struct tsl_slice){ (const uint8_t *)text, n }, name, err);
    tsl_mem_free(name);
    tsl_mem_free(text);
    return rc < 0 ? rc : read_members(k, hashes, err);
}

static int check_file(const char *dir, const char *name, uint64_t want,
                      struct tsl_err *err)
{
    enum { PIECE = 1 << 20 };
    struct tsl_file f = TSL_FILE_INIT;
    struct tsl_hasher64 sum;
    uint8_t *buf = tsl_mem_alloc(PIECE, 1, "a file's checksum", err);
    char *path = text_of(err, "%s/%s", dir, name);
    int64_t n = buf && path ? tsl_file_open(&f, path, err) : TSL_ENOMEM;
    tsl_hasher64_init(&sum, 0);
    if (n == 0)
        while ((n = tsl_file_read(&f, buf, PIECE, err)) > 0)
            tsl_hasher64_add(&sum, buf, (size_t)n);
    if (n == 0 && tsl_hasher64_end(&sum) != want)
        n = tsl_err_set(err, TSL_EVERIFY,
                        "%s: checksum %016" PRIx64 ", expected %016" PRIx64, f.name,
                        tsl_hasher64_end(&sum), want);
    tsl_file_close(&f, NULL);
    tsl_mem_free(path);
    tsl_mem_free(buf);
    return (int)n;
}

int tsl_ckpt_open(struct tsl_ckpt *k, const char *path, struct tsl_err *err)
{
    uint64_t hashes[NFILES];
    *k = (struct tsl_ckpt){ 0 };
    k->path = tsl_mem_strdup(path, err);
    k->own = tsl_mem_alloc(1, sizeof *k->own, "a checkpoint", err);
    int rc = k->path && k->own ? read_state(k, hashes, err) : TSL_ENOMEM;
    for (size_t i = 0; i < NFILES && rc == 0; i++)
        rc = check_file(path, files[i], hashes[i], err);
    if (rc < 0)
        tsl_ckpt_close(k);
    return rc;
}

void tsl_ckpt_close(struct tsl_ckpt *k)
{
    if (k->own) {
        tsl_jsonread_destroy(k->own->doc);
        tsl_mem_free(k->own->data);
    }
    tsl_mem_free(k->own);
    tsl_mem_free(k->path);
    *k = (struct tsl_ckpt){ 0 };
}

/* The newest of a run's checkpoints before step (UINT64_MAX: of all), whole or not; *old: it has
 * only its other name. */
static bool newest(const struct tsl_outfolder_names *names, uint64_t before, bool all,
                   uint64_t *step, bool *old)
{
    bool found = false;
    uint64_t at;
    for (size_t i = 0; i < names->n; i++) {
        bool is_old = step_of(names->name[i], ".old", &at);
        if (!is_old && !step_of(names->name[i], "", &at))
            continue;
        if ((all || at < before) && (!found || at > *step || (at == *step && !is_old))) {
            *step = at;
            *old = is_old;
            found = true;
        }
    }
    return found;
}

int tsl_ckpt_find(struct tsl_ckpt *k, const char *run, struct tsl_err *err)
{
    struct tsl_outfolder_names names = { 0 };
    struct tsl_err first = { 0 };
    uint64_t step = 0;
    bool old = false, all = true;
    size_t nbad = 0;
    *k = (struct tsl_ckpt){ 0 };
    int rc = tsl_file_exists(run) ? tsl_outfolder_names(&names, run, err) : 0, found = 0;
    while (rc == 0 && !found && newest(&names, step, all, &step, &old)) {
        struct tsl_err why = { 0 };
        char *path = folder_of(run, step, old ? ".old" : "", err);
        rc = path ? tsl_ckpt_open(k, path, &why) : TSL_ENOMEM;
        found = rc == 0;
        if (rc < 0 && rc != TSL_ENOMEM) {
            nbad++;
            tsl_err_pass(&first, &why);
            rc = 0; /* the one before may be whole */
        } else if (rc < 0) {
            tsl_err_pass(err, &why);
        }
        tsl_mem_free(path);
        all = false;
    }
    if (found && nbad)
        snprintf(k->damaged, sizeof k->damaged,
                 "%.300s: damaged%s; the newest whole one is %.100s", first.msg,
                 nbad > 1 ? ", and so are others" : "", tsl_quote(k->path).s);
    if (rc == 0 && !found && nbad)
        rc = tsl_err_set(err, first.code, "no checkpoint of %s is whole: %.300s",
                         tsl_quote(run).s, first.msg);
    tsl_outfolder_names_fini(&names);
    return rc < 0 ? rc : found;
}

char *tsl_ckpt_config(const struct tsl_ckpt *k, struct tsl_err *err)
{
    char *text;
    size_t n;
    return read_text(&text, &n, k->path, TSL_CKPT_CONFIG, err) < 0 ? NULL : text;
}

/* Names for a message, as far as there is room: "a, b and 12 more". */
struct namelist {
    char s[300];
    size_t len, n, left_out;
};

static void name_in(struct namelist *l, const char *name)
{
    struct tsl_quoted q = tsl_quote(name);
    if (l->len + strlen(q.s) + 30 > sizeof l->s)
        l->left_out++;
    else
        l->len += (size_t)snprintf(l->s + l->len, sizeof l->s - l->len, "%s%s",
                                   l->n ? ", " : "", q.s);
    l->n++;
}

static const char *names_end(struct namelist *l)
{
    if (l->left_out)
        snprintf(l->s + l->len, sizeof l->s - l->len, " and %zu more", l->left_out);
    return l->s;
}

static const char *shape_text(char *to, size_t cap, enum tsl_safetensors_type type,
                              unsigned rank, const int64_t *dim)
{
    size_t n = (size_t)snprintf(to, cap, "%s [", tsl_safetensors_type_name(type));
    for (unsigned i = 0; i < rank && n < cap; i++)
        n += (size_t)snprintf(to + n, cap - n, "%s%" PRId64, i ? ", " : "", dim[i]);
    if (n < cap)
        snprintf(to + n, cap - n, "]");
    return to;
}

static int check_shape(const char *path, const struct tsl_ckpt_array *a,
                       const struct tsl_safetensors_entry *e, struct tsl_err *err)
{
    char is[100], wanted[100];
    bool same = a->rank == e->rank &&
                (a->type == e->type || (a->type == TSL_ST_F32 && e->type <= TSL_ST_BF16));
    for (unsigned i = 0; same && i < a->rank; i++)
        same = a->dim[i] == e->dim[i];
    if (same)
        return 0;
    return tsl_err_set(err, TSL_EFORMAT, "%s: tensor %s is %s; wanted is %s",
                       tsl_quote(path).s, tsl_quote(a->name).s,
                       shape_text(is, sizeof is, e->type, e->rank, e->dim),
                       shape_text(wanted, sizeof wanted, a->type, a->rank, a->dim));
}

/* found[i]: where array i is. */
static int match(const struct tsl_safetensors *s, const char *path,
                 const struct tsl_ckpt_array *arrays, size_t n, bool more,
                 const struct tsl_safetensors_entry **found, bool *used,
                 struct tsl_err *err)
{
    struct namelist missing = { 0 }, extra = { 0 };
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        found[i] = tsl_safetensors_find(s, arrays[i].name);
        if (found[i])
            used[found[i] - tsl_safetensors_at(s, 0)] = true;
        else
            name_in(&missing, arrays[i].name);
    }
    for (size_t i = 0; i < tsl_safetensors_count(s); i++)
        if (!used[i] && !more)
            name_in(&extra, tsl_safetensors_at(s, i)->name);
    if (missing.n)
        return tsl_err_set(err, TSL_EFORMAT, "%s: %zu of %zu tensors are missing: %s",
                           tsl_quote(path).s, missing.n, n, names_end(&missing));
    if (extra.n)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %zu tensors that do not belong here: %s",
                           tsl_quote(path).s, extra.n, names_end(&extra));
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = check_shape(path, &arrays[i], found[i], err);
    return rc;
}

int tsl_ckpt_load_file(const char *path, const struct tsl_ckpt_array *arrays, size_t n,
                       bool more, struct tsl_err *err)
{
    struct tsl_safetensors *s = NULL;
    const struct tsl_safetensors_entry **found = NULL;
    bool *used = NULL;
    int rc = tsl_safetensors_open(&s, path, err);
    if (rc == 0) {
        found = tsl_mem_alloc(n + 1, sizeof *found, "tensors of a file", err);
        used = tsl_mem_alloc(tsl_safetensors_count(s) + 1, sizeof *used,
                             "tensors of a file", err);
        rc = found && used ? match(s, path, arrays, n, more, found, used, err)
                           : TSL_ENOMEM;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        if (arrays[i].type == found[i]->type)
            rc = tsl_safetensors_read_raw(s, found[i], arrays[i].data, err);
        else
            rc = tsl_safetensors_read_f32(s, found[i], arrays[i].data, err);
    tsl_mem_free(used);
    tsl_mem_free(found);
    tsl_safetensors_close(s);
    return rc;
}

int tsl_ckpt_load(const struct tsl_ckpt *k, const char *file,
                  const struct tsl_ckpt_array *arrays, size_t n, struct tsl_err *err)
{
    char *path = text_of(err, "%s/%s", k->path, file);
    int rc = path ? tsl_ckpt_load_file(path, arrays, n, false, err) : TSL_ENOMEM;
    tsl_mem_free(path);
    return rc;
}
