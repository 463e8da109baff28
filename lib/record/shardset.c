#include "record/shardset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/journal.h"
#include "io/outfolder.h"

enum { NAME_MAX_BYTES = 255 };

/* A shard that is being written. */
struct open_shard {
    struct tsl_recwriter *writer;
    uint64_t first, records;
    char *path;
    bool begun;
};

struct tsl_shardset {
    struct tsl_shardset_opts o;
    struct tsl_manifest m;
    struct tsl_journal journal;
    const char *name;
    struct open_shard *open; /* one, or with round robin one for each shard */
    size_t nopen;
    uint64_t next, resumed; /* next: records so far */
    char *manifest_path;
    bool made, finished; /* the folder by us; the set */
    bool ours;           /* the journal is this job's: it may go with it */
};

/* ---- names ---- */

static const char *usual_name(const char *format)
{
    return strcmp(format, "mds") == 0 ? "shard.%05d" : "part-%05d";
}

/* name with its one %d replaced; NULL and err where it has none, or two. */
static char *number_name(const char *dir, const char *name, uint64_t number,
                         struct tsl_err *err)
{
    const char *p = strchr(name, '%');
    const char *end = p ? p + 1 + strspn(p + 1, "0123456789") : NULL;
    if (!p || *end != 'd' || strchr(end, '%') || strlen(name) > NAME_MAX_BYTES - 24 ||
        end - p > 4 || strchr(name, '/')) {
        tsl_err_set(
            err, TSL_EUSAGE,
            "%s: a shard's name has one %%d (or %%05d) for its number, and no slash",
            tsl_quote(name).s);
        return NULL;
    }
    int width = 0;
    sscanf(p + 1, "%d", &width);
    size_t cap = strlen(dir) + strlen(name) + 128;
    char *s = tsl_mem_alloc(cap, 1, "a name", err);
    if (s)
        snprintf(s, cap, "%s/%.*s%0*" PRIu64 "%s", dir, (int)(p - name), name, width,
                 number, end + 1);
    return s;
}

/* ---- beginning ---- */

static void close_open(struct tsl_shardset *s)
{
    for (size_t i = 0; s->open && i < s->nopen; i++) {
        tsl_recwriter_destroy(s->open[i].writer);
        tsl_mem_free(s->open[i].path);
    }
    tsl_mem_free(s->open);
    s->open = NULL;
}

void tsl_shardset_destroy(struct tsl_shardset *s)
{
    if (!s)
        return;
    close_open(s);
    /* Nothing to resume: as if it had never begun. */
    if (!s->finished && s->ours && s->m.nshards == 0 && s->journal.file.fd >= 0) {
        tsl_journal_remove(&s->journal, NULL);
        if (s->made)
            tsl_outfolder_unmake(s->o.dir);
    }
    tsl_manifest_fini(&s->m);
    tsl_journal_close(&s->journal);
    tsl_mem_free(s->manifest_path);
    tsl_mem_free(s);
}

/* What must be the same for a job to go on with what another one left: a line of JSON. */
static char *identity(const struct tsl_shardset *s, struct tsl_err *err)
{
    const struct tsl_shardset_opts *o = &s->o;
    struct tsl_json j = { 0 };
    tsl_json_open(&j, NULL, '{');
    tsl_json_str(&j, "format", s->m.format);
    tsl_json_str(&j, "made_by", s->m.made_by);
    tsl_json_str(&j, "name", s->name);
    tsl_json_u64(&j, "shards", o->shards);
    tsl_json_u64(&j, "shard_rows", o->shard_rows);
    tsl_json_u64(&j, "shard_bytes", o->shard_bytes);
    tsl_json_bool(&j, "round_robin", o->round_robin);
    tsl_json_u64(&j, "zstd", (uint64_t)o->writer.zstd_level);
    tsl_json_bool(&j, "gzip", o->writer.gzip);
    tsl_json_str(&j, "layout", o->writer.layout ? o->writer.layout : "");
    tsl_schema_write(&s->m.head.schema, "schema", &j);
    tsl_json_str(&j, "meta", s->m.head.meta ? s->m.head.meta : "{}");
    tsl_json_str(&j, "job", s->m.job);
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    char *line = rc < 0 ? NULL : tsl_mem_alloc(j.len + 1, 1, "a journal", err);
    for (size_t i = 0, n = 0; line && i < j.len; i++)
        if (j.text[i] != '\n')
            line[n++] = j.text[i];
    tsl_json_fini(&j);
    return line;
}

/* The shards that the journal's lines tell of are taken over; their files must be there. */
static int take_over(struct tsl_shardset *s, struct tsl_err *err)
{
    for (size_t i = 1; i < s->journal.nlines; i++) {
        struct tsl_jsonread *doc;
        struct tsl_shard shard;
        const char *line = s->journal.lines[i];
        char where[600];
        snprintf(where, sizeof where, "%s: line %zu", s->journal.file.name, i + 1);
        int rc = tsl_jsonread_parse(
            &doc, (struct tsl_slice){ (const uint8_t *)line, strlen(line) }, where, err);
        if (rc < 0)
            return rc;
        rc = tsl_manifest_read_shard(&shard, tsl_jsonread_root(doc), where, err);
        tsl_jsonread_destroy(doc);
        if (rc < 0)
            return rc;
        for (size_t f = 0; rc == 0 && f < shard.nfiles; f++) {
            struct tsl_file file = TSL_FILE_INIT;
            char path[4096 + NAME_MAX_BYTES];
            snprintf(path, sizeof path, "%s/%s", s->o.dir, shard.files[f].name);
            rc = tsl_file_open(&file, path, err);
            if (rc == 0 && file.size != shard.files[f].bytes)
                rc = tsl_err_set(err, TSL_EFORMAT,
                                 "%s: %" PRIu64
                                 " bytes; when it was finished it had %" PRIu64,
                                 file.name, file.size, shard.files[f].bytes);
            tsl_file_close(&file, NULL);
        }
        if (rc == 0)
            rc = tsl_manifest_add(&s->m, &shard, err);
        tsl_shard_fini(&shard);
        if (rc < 0)
            return rc;
    }
    s->next = s->resumed = s->m.records;
    return 0;
}

static int begin_journal(struct tsl_shardset *s, struct tsl_err *err)
{
    const struct tsl_shardset_opts *o = &s->o;
    char path[4096];
    if (snprintf(path, sizeof path, "%s/manifest.journal", o->dir) >= (int)sizeof path)
        return tsl_err_set(err, TSL_EUSAGE, "%s: too long a name", tsl_quote(o->dir).s);
    char *line = identity(s, err);
    if (!line)
        return TSL_ENOMEM;
    int rc = tsl_journal_open(&s->journal, path,
                              o->resume  ? TSL_JOURNAL_RESUME
                              : o->force ? TSL_JOURNAL_FORCE
                                         : TSL_JOURNAL_NEW,
                              err);
    s->ours = rc == 0 && s->journal.nlines == 0;
    if (s->ours)
        rc = tsl_journal_add(&s->journal, line, err);
    else if (rc == 0 && strcmp(s->journal.lines[0], line) != 0)
        rc = tsl_err_set(
            err, TSL_EUSAGE,
            "%s: what was begun here is another job (other inputs, options or "
            "seed): --force begins anew",
            s->journal.file.name);
    if (rc == 0)
        rc = take_over(s, err);
    s->ours |= rc == 0;
    tsl_mem_free(line);
    return rc;
}

/* The writer's numbers go on behind the records that there are. */
static int go_on(struct tsl_shardset *s, struct tsl_err *err)
{
    struct tsl_rechead head = s->m.head;
    head.first += s->resumed;
    tsl_recwriter_destroy(s->open[0].writer);
    s->open[0].writer = NULL;
    return tsl_recwriter_create(&s->open[0].writer, &head, &s->o.writer, err);
}

static int check_opts(const struct tsl_shardset_opts *o, const char *name,
                      struct tsl_err *err)
{
    char *tried = number_name("", name, 0, err);
    if (!tried)
        return err && err->code ? err->code : TSL_EUSAGE;
    tsl_mem_free(tried);
    if ((o->shards != 0) + (o->shard_rows != 0) + (o->shard_bytes != 0) > 1)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "shards are told by their number, rows or bytes: by one of them");
    if (o->round_robin && (!o->shards || o->shards > 1024))
        return tsl_err_set(err, TSL_EUSAGE,
                           "round robin needs the number of shards, at most 1024");
    if (o->shards && !o->round_robin && o->records == UINT64_MAX)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "a given number of contiguous shards needs the number of records, "
            "which these inputs do not tell: give --shard-rows, "
            "--shard-bytes or --round-robin");
    return 0;
}

static int remove_shard(const struct tsl_shardset *s, const struct tsl_shard *shard,
                        struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < shard->nfiles; i++) {
        char path[4096 + NAME_MAX_BYTES];
        snprintf(path, sizeof path, "%s/%s", s->o.dir, shard->files[i].name);
        rc = tsl_outfolder_remove(path, err);
    }
    return rc;
}

/* A finished set goes: first its manifest, so that what is left at any moment is no set. */
static int remove_set(struct tsl_shardset *s, struct tsl_err *err)
{
    struct tsl_manifest old;
    struct tsl_source src;
    int rc = tsl_source_open(&src, s->manifest_path, 0, err);
    if (rc < 0)
        return rc;
    rc = tsl_manifest_read(&old, s->manifest_path, &src, UINT64_MAX, err);
    tsl_source_close(&src, NULL);
    if (rc < 0)
        return rc;
    rc = tsl_outfolder_remove(s->manifest_path, err);
    for (size_t i = 0; rc == 0 && i < old.nshards; i++)
        rc = remove_shard(s, &old.shards[i], err);
    tsl_manifest_fini(&old);
    return rc;
}

static int check_folder(struct tsl_shardset *s, struct tsl_err *err)
{
    int rc = tsl_outfolder_make(s->o.dir, &s->made, err);
    if (rc < 0 || !tsl_file_exists(s->manifest_path))
        return rc;
    if (s->o.force)
        return remove_set(s, err);
    return tsl_err_set(err, TSL_EUSAGE,
                       "%s: there is a finished set already; --force replaces it",
                       tsl_quote(s->manifest_path).s);
}

int tsl_shardset_create(struct tsl_shardset **out, const struct tsl_rechead *head,
                        const struct tsl_shardset_opts *o, struct tsl_err *err)
{
    const char *format = o->writer.format ? o->writer.format : "native";
    struct tsl_shardset *s = tsl_mem_alloc(1, sizeof *s, "a set", err);
    if (!s)
        return TSL_ENOMEM;
    s->o = *o;
    s->journal.file = (struct tsl_file)TSL_FILE_INIT;
    s->name = o->name ? o->name : usual_name(format);
    s->m.dealt = o->round_robin;
    s->nopen = o->round_robin ? (size_t)o->shards : 1;
    s->manifest_path = tsl_mem_alloc(strlen(o->dir) + 16, 1, "a name", err);
    s->open = tsl_mem_alloc(s->nopen, sizeof *s->open, "shards", err);
    s->m.format = tsl_mem_strdup(format, err);
    s->m.made_by = tsl_mem_strdup(o->made_by ? o->made_by : "", err);
    s->m.job = tsl_mem_strdup(o->job ? o->job : "{}", err);
    int rc = s->manifest_path && s->open && s->m.format && s->m.made_by && s->m.job
                 ? tsl_rechead_copy(&s->m.head, head, err)
                 : TSL_ENOMEM;
    if (s->manifest_path)
        sprintf(s->manifest_path, "%s/manifest.json", o->dir);
    if (rc == 0)
        rc = check_opts(o, s->name, err);
    for (size_t i = 0; rc == 0 && i < s->nopen; i++) {
        struct tsl_recwriter_opts w = o->writer;
        w.memory /= s->nopen;
        rc = tsl_recwriter_create(&s->open[i].writer, head, &w, err);
    }
    if (rc == 0)
        rc = check_folder(s, err);
    if (rc == 0)
        rc = begin_journal(s, err);
    if (rc == 0 && s->resumed)
        rc = go_on(s, err);
    if (rc < 0) {
        tsl_shardset_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

uint64_t tsl_shardset_resumed(const struct tsl_shardset *s)
{
    return s->resumed;
}

const struct tsl_manifest *tsl_shardset_manifest(const struct tsl_shardset *s)
{
    return &s->m;
}

/* ---- shards ---- */

static int begin_shard(struct tsl_shardset *s, struct open_shard *open, uint64_t number,
                       struct tsl_err *err)
{
    tsl_mem_free(open->path);
    open->path = number_name(s->o.dir, s->name, number, err);
    if (!open->path)
        return TSL_ENOMEM;
    open->first = s->m.head.first + (s->o.round_robin ? number : s->next);
    open->records = 0;
    int rc = tsl_recwriter_begin(open->writer, open->path, err);
    open->begun = rc == 0;
    return rc;
}

/* The shard gets its name, and a line in the journal. */
static int end_shard(struct tsl_shardset *s, struct open_shard *open, struct tsl_err *err)
{
    const struct tsl_recfile *files;
    size_t nfiles = 0;
    struct tsl_json j = { 0 };
    const char *slash = strrchr(open->path, '/');
    int rc = tsl_recwriter_end(open->writer, err);
    if (rc == 0)
        rc = tsl_recwriter_commit(open->writer, &files, &nfiles, err);
    open->begun = false;
    if (rc < 0)
        return rc;
    struct tsl_shard shard = { (char *)(slash + 1), open->first, open->records,
                               (struct tsl_recfile *)files, nfiles };
    rc = tsl_manifest_add(&s->m, &shard, err);
    if (rc < 0)
        return rc;
    tsl_manifest_write_shard(&shard, NULL, &j);
    rc = j.failed ? tsl_err_nomem(err, 0, "a journal") : 0;
    for (size_t i = 0; rc == 0 && i < j.len; i++)
        if (j.text[i] == '\n')
            j.text[i] = ' ';
    /* Shards of a round robin are all finished together: none is worth a line. */
    if (rc == 0 && !s->o.round_robin)
        rc = tsl_journal_add(&s->journal, j.text, err);
    tsl_json_fini(&j);
    return rc;
}

/* Records that go into contiguous shard k, so that sizes differ by one at most. */
static uint64_t share(const struct tsl_shardset *s, uint64_t k)
{
    uint64_t n = s->o.shards < s->o.records ? s->o.shards : s->o.records;
    return n ? s->o.records / n + (k < s->o.records % n) : 0;
}

static bool is_full(const struct tsl_shardset *s, const struct open_shard *open)
{
    const struct tsl_shardset_opts *o = &s->o;
    if (o->shards)
        return open->records >= share(s, s->m.nshards);
    if (o->shard_rows)
        return open->records >= o->shard_rows;
    return o->shard_bytes && tsl_recwriter_bytes(open->writer) >= o->shard_bytes;
}

/* The shard that the next record goes into, begun and not full. */
static int shard_for_next(struct tsl_shardset *s, struct open_shard **to,
                          struct tsl_err *err)
{
    struct open_shard *open = &s->open[s->o.round_robin ? s->next % s->nopen : 0];
    int rc = 0;
    *to = open;
    if (!s->o.round_robin && open->begun && is_full(s, open))
        rc = end_shard(s, open, err);
    if (rc == 0 && !open->begun)
        rc = begin_shard(s, open, s->o.round_robin ? s->next % s->nopen : s->m.nshards,
                         err);
    return rc;
}

int tsl_shardset_put(struct tsl_shardset *s, const struct tsl_record *rec,
                     struct tsl_err *err)
{
    struct open_shard *open;
    int rc = shard_for_next(s, &open, err);
    if (rc == 0)
        rc = tsl_recwriter_put(open->writer, rec, err);
    if (rc < 0)
        return rc;
    open->records++;
    s->next++;
    return 0;
}

/* How many records the shard at hand takes before it must be asked again whether it is full. */
static uint64_t room(const struct tsl_shardset *s, const struct open_shard *open)
{
    const struct tsl_shardset_opts *o = &s->o;
    if (o->round_robin || o->shard_bytes)
        return 1;
    if (o->shards)
        return share(s, s->m.nshards) - open->records;
    return o->shard_rows ? o->shard_rows - open->records : UINT64_MAX;
}

int tsl_shardset_put_rows(struct tsl_shardset *s, const struct tsl_recrows *all,
                          struct tsl_err *err)
{
    struct tsl_recrows rows = *all;
    while (rows.n) {
        struct open_shard *open;
        int rc = shard_for_next(s, &open, err);
        if (rc < 0)
            return rc;
        uint64_t most = room(s, open);
        struct tsl_recrows part = rows;
        most = most ? most : 1; /* more came than was told */
        part.n = most < rows.n ? (uint32_t)most : rows.n;
        rc = tsl_recwriter_put_rows(open->writer, &part, err);
        if (rc < 0)
            return rc;
        open->records += part.n;
        s->next += part.n;
        tsl_recrows_skip(&rows, &s->m.head.schema, part.n);
    }
    return 0;
}

/* ---- the end ---- */

/* A writer that knows all shards of the set, for the format's index: the one that wrote them,
 * or one that is told of them. */
static int index_writer(struct tsl_shardset *s, struct tsl_recwriter **w, bool *ours,
                        struct tsl_err *err)
{
    *w = s->open[0].writer;
    *ours = false;
    if (!s->resumed && !s->o.round_robin)
        return 0;
    struct tsl_recwriter_opts o = s->o.writer;
    int rc = tsl_recwriter_create(w, &s->m.head, &o, err);
    *ours = rc == 0;
    for (size_t i = 0; rc == 0 && i < s->m.nshards; i++) {
        char path[4096 + NAME_MAX_BYTES];
        snprintf(path, sizeof path, "%s/%s", s->o.dir, s->m.shards[i].stem);
        rc = tsl_recwriter_adopt(*w, path, s->m.shards[i].records, err);
    }
    return rc;
}

static int write_manifest(struct tsl_shardset *s, const char *index, char *text,
                          size_t len, struct tsl_err *err)
{
    struct tsl_outfolder_file files[2];
    struct tsl_json j = { 0 };
    size_t n = 0;
    if (text) {
        files[n++] = (struct tsl_outfolder_file){ index, { (uint8_t *)text, len } };
        s->m.index = (struct tsl_recfile){ tsl_mem_strdup(index, err), len,
                                           tsl_hash64(text, len, 0) };
        if (!s->m.index.name)
            return TSL_ENOMEM;
    }
    tsl_manifest_write(&s->m, &j);
    int rc = tsl_json_end(&j, err);
    files[n++] =
        (struct tsl_outfolder_file){ "manifest.json", { (uint8_t *)j.text, j.len } };
    if (rc == 0)
        rc = tsl_outfolder_write(s->o.dir, files, n, err);
    tsl_json_fini(&j);
    return rc;
}

int tsl_shardset_finish(struct tsl_shardset *s, struct tsl_err *err)
{
    struct tsl_recwriter *w = NULL;
    const char *index = NULL;
    char *text = NULL;
    size_t len = 0;
    bool ours = false;
    int rc = 0;
    if (s->o.shards && !s->o.round_robin && s->next != s->o.records)
        return tsl_err_set(err, TSL_EVERIFY,
                           "%" PRIu64 " records came; the inputs told of %" PRIu64,
                           s->next, s->o.records);
    for (size_t i = 0; rc == 0 && i < s->nopen; i++)
        if (s->open[i].begun)
            rc = end_shard(s, &s->open[i], err);
    if (rc == 0)
        rc = index_writer(s, &w, &ours, err);
    if (rc == 0)
        rc = tsl_recwriter_index(w, &index, &text, &len, err);
    if (rc == 0)
        rc = write_manifest(s, index, text, len, err);
    if (rc == 0)
        rc = tsl_journal_remove(&s->journal, err);
    s->finished = rc == 0;
    tsl_mem_free(text);
    if (ours)
        tsl_recwriter_destroy(w);
    return rc;
}
