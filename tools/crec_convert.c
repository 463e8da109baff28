/* crec convert - records of any format as one file of another. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonread.h"
#include "base/mem.h"
#include "base/quote.h"
#include "cli_run.h"
#include "crec.h"
#include "io/codec.h"
#include "samples/samplemap.h"

static struct {
    const char *to, *layout, *compress;
} given;

static const struct cli_opt opts[] = {
    CREC_OPT(0, "to", "FORMAT", CLI_STR, &given.to,
             "native, tfrecord, megatron, mds, npy, jsonl, webdataset,\n"
             "llmc, u16, u32 or datatrove"),
    CREC_OPT(0, "layout", "NAME", CLI_STR, &given.layout,
             "of megatron: document (the default) or sentence; of samples:\n"
             "native (the default), plain, bert or hf, as cshard has them"),
    CREC_OPT(0, "compress", "CODEC", CLI_STR, &given.compress,
             "zstd[:LEVEL], gzip or none, as far as the format has it;\n"
             "default: what OUT's name says, else zstd for native, else\n"
             "none"),
    CREC_FROM,
    CREC_MEMORY,
    { 0 },
};

/* How many bytes of path stand in front of end; 0: it ends otherwise, or is no more. */
static size_t without(const char *path, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n > k && path[n - k - 1] != '/' && memcmp(path + n - k, end, k) == 0 ? n - k
                                                                                : 0;
}

/* The writers add what their files' names end with, so OUT goes without it: path's length
 * then.  *codec: what the end of the name says, or left alone. */
static size_t stem_of(const char *path, const struct tsl_recformat *f,
                      enum tsl_codec *codec)
{
    static const struct {
        const char *end;
        enum tsl_codec codec;
    } packed[] = { { ".zst", TSL_CODEC_ZSTD },
                   { ".zstd", TSL_CODEC_ZSTD },
                   { ".gz", TSL_CODEC_GZIP } };
    size_t n = strlen(path), plain = n, stem;
    enum tsl_codec by_name = *codec;
    for (size_t i = 0; i < 3 && plain == n; i++)
        if ((stem = without(path, n, packed[i].end))) {
            plain = stem;
            by_name = packed[i].codec;
        }
    const char *ends[] = { f->suffix, strcmp(f->name, "megatron") == 0 ? ".idx" : NULL,
                           f->several_files ? ".npy" : NULL };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i] && (stem = without(path, plain, ends[i]))) {
            *codec = by_name;
            return stem;
        }
    return n;
}

static struct tsl_recwriter_opts writer_opts(const char *out, char **stem,
                                             struct tsl_err *err)
{
    struct tsl_recwriter_opts w = { .format = given.to,
                                    .memory = crec_given.memory / 3 * 2 };
    enum tsl_codec codec = TSL_CODEC_NONE;
    int level = 0;
    if (!given.to)
        cli_misuse(true, "convert to what? --to names the format");
    const struct tsl_recformat *f = tsl_recformat_named(given.to);
    if (!f || !f->writer_create)
        cli_misuse(true, "invalid --to: %s", tsl_quote(given.to).s);
    if (strcmp(f->name, tsl_rec_native.name) == 0)
        codec = TSL_CODEC_ZSTD;
    if (strcmp(out, "-") != 0 && (*stem = tsl_mem_strdup(out, err)))
        (*stem)[stem_of(out, f, &codec)] = '\0';
    if (given.compress && !tsl_codec_parse(given.compress, &codec, &level))
        cli_misuse(true, "invalid --compress: %s (zstd[:1-19], gzip or none)",
                   tsl_quote(given.compress).s);
    w.zstd_level = codec == TSL_CODEC_ZSTD ? level ? level : 3 : 0;
    w.gzip = codec == TSL_CODEC_GZIP;
    return w;
}

/* Whether --layout is one of samples, and then which. */
static bool sample_layout(struct tsl_samplemap_opts *o, struct tsl_recwriter_opts *w)
{
    static const char *const names[] = { "native", "plain", "bert", "hf" };
    for (int i = 0; given.layout && i < 4; i++)
        if (strcmp(given.layout, names[i]) == 0) {
            *o = (struct tsl_samplemap_opts){ .layout = (enum tsl_sample_layout)i };
            return true;
        }
    if (given.layout && strcmp(given.layout, "document") != 0 &&
        strcmp(given.layout, "sentence") != 0)
        cli_misuse(true, "invalid --layout: %s", tsl_quote(given.layout).s);
    if (given.layout && strcmp(given.to, "megatron") != 0)
        cli_misuse(true, "--layout=%s is of megatron alone", given.layout);
    w->layout = given.layout;
    return false;
}

static int copy(struct tsl_recreader *r, struct tsl_samplemap *map,
                struct tsl_recwriter *w, const char *stem, struct tsl_err *err)
{
    const struct tsl_recfile *files;
    struct tsl_record rec, made;
    size_t nfiles;
    int rc = tsl_recwriter_begin(w, stem, err);
    while (rc == 0 && (rc = tsl_recreader_next(r, &rec, err)) == 1) {
        made = rec;
        rc = map ? tsl_samplemap_apply(map, &rec, &made, err) : 0;
        if (rc == 0)
            rc = tsl_recwriter_put(w, &made, err);
    }
    if (rc == 0)
        rc = tsl_recwriter_end(w, err);
    if (rc == 0)
        rc = tsl_recwriter_commit(w, &files, &nfiles, err);
    return rc;
}

/* The shard of an index.json of one shard; empty for anything else. */
static struct tsl_slice only_shard(const struct tsl_jsonval *root)
{
    struct tsl_slice name = { NULL, 0 };
    const struct tsl_jsonval *shards = tsl_jsonread_get(root, "shards");
    if (tsl_jsonread_size(shards) == 1)
        (void)tsl_jsonread_str(
            tsl_jsonread_get(tsl_jsonread_get(tsl_jsonread_at(shards, 0), "raw_data"),
                             "basename"),
            &name);
    return name;
}

/* Is there no file of this path, or does it index what text does: one shard of that name? */
static bool is_ours(const char *path, const char *text, size_t len)
{
    enum { MOST = 1 << 20 }; /* an index of one shard is far below that */
    struct tsl_jsonread *old = NULL, *now = NULL;
    struct tsl_file f = TSL_FILE_INIT;
    char *bytes = NULL;
    bool same = false;
    if (!tsl_file_exists(path))
        return true;
    if (tsl_file_open(&f, path, NULL) == 0 && f.size <= MOST &&
        (bytes = tsl_mem_alloc(MOST, 1, "an index", NULL)) &&
        tsl_file_pread(&f, bytes, (size_t)f.size, 0, NULL) == 0 &&
        tsl_jsonread_parse(&old, (struct tsl_slice){ (uint8_t *)bytes, (size_t)f.size },
                           path, NULL) == 0 &&
        tsl_jsonread_parse(&now, (struct tsl_slice){ (const uint8_t *)text, len }, path,
                           NULL) == 0) {
        struct tsl_slice a = only_shard(tsl_jsonread_root(old)),
                         b = only_shard(tsl_jsonread_root(now));
        same = a.len && a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
    }
    tsl_jsonread_destroy(old);
    tsl_jsonread_destroy(now);
    tsl_mem_free(bytes);
    tsl_file_close(&f, NULL);
    return same;
}

/* The file that a format's readers look for beside the shard (MDS); another set's stays. */
static int write_index(struct tsl_recwriter *w, const char *stem, struct tsl_err *err)
{
    const char *name, *slash = strrchr(stem, '/');
    size_t len, dir = slash ? (size_t)(slash - stem) + 1 : 0;
    char *text, *path = NULL;
    int rc = tsl_recwriter_index(w, &name, &text, &len, err);
    if (rc < 0 || !text)
        return rc;
    path = tsl_mem_alloc(dir + strlen(name) + 1, 1, "a name", err);
    if (path) {
        memcpy(path, stem, dir);
        strcpy(path + dir, name);
    }
    if (!path)
        rc = TSL_ENOMEM;
    else if (is_ours(path, text, len))
        rc = cli_write_text(path, text, len, err);
    else
        cli_warn(
            "%s is there already, of other shards, and stays as it is: readers of it "
            "will not find %s (cshard writes whole sets)",
            tsl_quote(path).s, tsl_quote(stem + dir).s);
    tsl_mem_free(path);
    tsl_mem_free(text);
    return rc;
}

static int convert(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_recreader *r = NULL;
    struct tsl_samplemap *map = NULL;
    struct tsl_recwriter *w = NULL;
    struct tsl_samplemap_opts mo;
    char *stem = NULL;
    if (n > 2)
        cli_misuse(true, "more than IN and OUT: %s", tsl_quote(operands[2]).s);
    const char *in = crec_input(operands, n, 0), *out = n == 2 ? operands[1] : "-";
    struct tsl_recwriter_opts wo = writer_opts(out, &stem, err);
    bool mapped = sample_layout(&mo, &wo);
    int rc = stem || strcmp(out, "-") == 0 ? 0 : TSL_ENOMEM;
    if (rc == 0) {
        struct tsl_recreader_opts ro = { .format = crec_given.from,
                                         .memory = crec_given.memory / 3 };
        rc = tsl_recreader_open(&r, in, &ro, err);
    }
    if (rc == 0 && mapped)
        rc = tsl_samplemap_create(&map, tsl_recreader_head(r), in, &mo, err);
    if (rc == 0)
        rc = tsl_recwriter_create(
            &w, map ? tsl_samplemap_head(map) : tsl_recreader_head(r), &wo, err);
    if (rc == 0)
        rc = copy(r, map, w, stem, err);
    if (rc == 0 && stem)
        rc = write_index(w, stem, err);
    tsl_recwriter_destroy(w);
    tsl_samplemap_destroy(map);
    tsl_recreader_destroy(r);
    tsl_mem_free(stem);
    return cli_finish(rc, err);
}

const struct crec_command crec_convert = {
    .name = "convert",
    .usage = "--to FORMAT [OPTION]... [IN [OUT]]",
    .summary = "Write the records of IN as one file of another format, OUT.",
    .notes =
        "OUT is a path; what the format's names end with is added where it is not there\n"
        "yet (of npy and others several files have it in common).  Without OUT, or when\n"
        "it is -, write to standard output, where the format is one stream.  Files get\n"
        "their names when all is done; of mds an index.json comes beside it, if there "
        "is\n"
        "none of other shards.  Whole sets, with shards and a manifest, are cshard's.\n"
        "\n",
    .examples = "Examples:\n"
                "  crec convert --to tfrecord train/part-00000.tslrec train.tfrecord\n"
                "  crec convert --to jsonl samples.mds | head -n 1 | jq .\n",
    .opts = opts,
    .run = convert,
};
