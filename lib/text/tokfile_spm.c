#include "text/tokfile_spm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/protobuf.h"
#include "base/quote.h"
#include "io/source.h"
#include "text/tokfile.h"
#include "text/vocab.h"

/* Field numbers of sentencepiece_model.proto. */
enum {
    MODEL_PIECES = 1,
    MODEL_TRAINER = 2,
    MODEL_NORMALIZER = 3,
    MODEL_DENORMALIZER = 5,
    PIECE_TEXT = 1,
    PIECE_SCORE = 2,
    PIECE_TYPE = 3,
    TRAINER_MODEL_PREFIX = 2,
    TRAINER_MODEL_TYPE = 3,
    TRAINER_VOCAB_SIZE = 4,
    TRAINER_COVERAGE = 10,
    TRAINER_PIECE_LENGTH = 20,
    TRAINER_SPLIT_SCRIPT = 21,
    TRAINER_SPLIT_SPACE = 22,
    TRAINER_SPLIT_NUMBER = 23,
    TRAINER_SUFFIX = 24,
    TRAINER_SPLIT_DIGITS = 25,
    TRAINER_BYTE_FALLBACK = 35,
    TRAINER_UNK_ID = 40,
    TRAINER_BOS_ID = 41,
    TRAINER_EOS_ID = 42,
    TRAINER_PAD_ID = 43,
    TRAINER_UNK_SURFACE = 44,
    TRAINER_UNK_PIECE = 45,
    TRAINER_BOS_PIECE = 46,
    TRAINER_EOS_PIECE = 47,
    TRAINER_PAD_PIECE = 48,
    NORMALIZER_NAME = 1,
    NORMALIZER_CHARSMAP = 2,
    NORMALIZER_DUMMY = 3,
    NORMALIZER_REMOVE = 4,
    NORMALIZER_ESCAPE = 5,
    NBYTES = 256
};

static struct tsl_slice text_of(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

struct tsl_spm_options tsl_tokfile_spm_defaults(void)
{
    struct tsl_spm_normalizer n = { .add_dummy_prefix = true,
                                    .remove_extra_whitespaces = true,
                                    .escape_whitespaces = true };
    return (struct tsl_spm_options){
        .algorithm = TSL_SPM_UNIGRAM,
        .unk_id = 0,
        .bos_id = 1,
        .eos_id = 2,
        .pad_id = -1,
        .unk_piece = text_of("<unk>"),
        .bos_piece = text_of("<s>"),
        .eos_piece = text_of("</s>"),
        .pad_piece = text_of("<pad>"),
        .unk_surface = text_of(" \xe2\x81\x87 "),
        .normalizer = n,
        .denormalizer = n,
        .vocab_size = 8000,
        .max_piece_chars = 16,
        .character_coverage = 0.9995F,
        .split_by_unicode_script = true,
        .split_by_number = true,
        .split_by_whitespace = true,
    };
}

int tsl_tokfile_spm_byte(struct tsl_slice piece)
{
    unsigned v = 0;
    if (piece.len != 6 || memcmp(piece.data, "<0x", 3) != 0 || piece.data[5] != '>')
        return -1;
    for (int i = 3; i < 5; i++) {
        uint8_t c = piece.data[i];
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (c >= 'A' && c <= 'F')
            v = v * 16 + (c - 'A' + 10);
        else
            return -1;
    }
    return (int)v;
}

/* ---- reading -------------------------------------------------------------------------- */

static int text_field(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                      struct tsl_slice *out, struct tsl_err *err)
{
    int rc = tsl_protobuf_bytes(r, f, out, err);
    if (rc == 0 && tsl_tokfile_utf8_end(*out) < out->len)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: byte %" PRIu64 ": field %u is not UTF-8",
                         tsl_quote(r->name).s, f->at, f->number);
    return rc;
}

static int read_piece(struct tsl_protobuf *r, struct tsl_spm_piece *piece,
                      struct tsl_err *err)
{
    struct tsl_protobuf_field f;
    int32_t type = TSL_SPM_NORMAL;
    int rc;
    *piece = (struct tsl_spm_piece){ 0 };
    while ((rc = tsl_protobuf_next(r, &f, err)) > 0) {
        rc = 0;
        if (f.number == PIECE_TEXT)
            rc = text_field(r, &f, &piece->text, err);
        else if (f.number == PIECE_SCORE)
            rc = tsl_protobuf_float(r, &f, &piece->score, err);
        else if (f.number == PIECE_TYPE)
            rc = tsl_protobuf_int32(r, &f, &type, err);
        if (rc < 0)
            return rc;
    }
    if (rc == 0 && (type < TSL_SPM_NORMAL || type > TSL_SPM_BYTE))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: byte %" PRIu64 ": a piece of unknown type %" PRId32,
                           tsl_quote(r->name).s, r->base, type);
    piece->type = (enum tsl_spm_type)type;
    return rc;
}

/* Which value of o field number is; *kind tells its type. */
static void *trainer_field(struct tsl_spm_options *o, uint32_t number, char *kind)
{
    const struct {
        uint32_t number;
        char kind;
        void *value;
    } fields[] = {
        { TRAINER_MODEL_PREFIX, 's', &o->model_prefix },
        { TRAINER_VOCAB_SIZE, 'i', &o->vocab_size },
        { TRAINER_COVERAGE, 'f', &o->character_coverage },
        { TRAINER_PIECE_LENGTH, 'i', &o->max_piece_chars },
        { TRAINER_SPLIT_SCRIPT, 'b', &o->split_by_unicode_script },
        { TRAINER_SPLIT_SPACE, 'b', &o->split_by_whitespace },
        { TRAINER_SPLIT_NUMBER, 'b', &o->split_by_number },
        { TRAINER_SUFFIX, 'b', &o->whitespace_suffix },
        { TRAINER_SPLIT_DIGITS, 'b', &o->split_digits },
        { TRAINER_BYTE_FALLBACK, 'b', &o->byte_fallback },
        { TRAINER_UNK_ID, 'i', &o->unk_id },
        { TRAINER_BOS_ID, 'i', &o->bos_id },
        { TRAINER_EOS_ID, 'i', &o->eos_id },
        { TRAINER_PAD_ID, 'i', &o->pad_id },
        { TRAINER_UNK_SURFACE, 's', &o->unk_surface },
        { TRAINER_UNK_PIECE, 's', &o->unk_piece },
        { TRAINER_BOS_PIECE, 's', &o->bos_piece },
        { TRAINER_EOS_PIECE, 's', &o->eos_piece },
        { TRAINER_PAD_PIECE, 's', &o->pad_piece },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].number == number) {
            *kind = fields[i].kind;
            return fields[i].value;
        }
    }
    return NULL;
}

static int read_trainer(struct tsl_protobuf *r, struct tsl_spm_options *o,
                        struct tsl_err *err)
{
    struct tsl_protobuf_field f;
    int rc;
    while ((rc = tsl_protobuf_next(r, &f, err)) > 0) {
        char kind = 0;
        void *value = trainer_field(o, f.number, &kind);
        int32_t type = o->algorithm;
        rc = 0;
        if (f.number == TRAINER_MODEL_TYPE)
            rc = tsl_protobuf_int32(r, &f, &type, err);
        else if (kind == 'i')
            rc = tsl_protobuf_int32(r, &f, value, err);
        else if (kind == 'b')
            rc = tsl_protobuf_bool(r, &f, value, err);
        else if (kind == 'f')
            rc = tsl_protobuf_float(r, &f, value, err);
        else if (kind == 's')
            rc = text_field(r, &f, value, err);
        if (rc < 0)
            return rc;
        if (type < TSL_SPM_UNIGRAM || type > TSL_SPM_CHAR)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: byte %" PRIu64 ": unknown model type %" PRId32
                               "; unigram (1), bpe (2), word (3), char (4) are known",
                               tsl_quote(r->name).s, f.at, type);
        o->algorithm = (enum tsl_spm_algorithm)type;
    }
    return rc;
}

static int read_normalizer(struct tsl_protobuf *r, struct tsl_spm_normalizer *n,
                           struct tsl_err *err)
{
    struct tsl_protobuf_field f;
    int rc;
    while ((rc = tsl_protobuf_next(r, &f, err)) > 0) {
        rc = 0;
        if (f.number == NORMALIZER_NAME)
            rc = text_field(r, &f, &n->name, err);
        else if (f.number == NORMALIZER_CHARSMAP)
            rc = tsl_protobuf_bytes(r, &f, &n->charsmap, err);
        else if (f.number == NORMALIZER_DUMMY)
            rc = tsl_protobuf_bool(r, &f, &n->add_dummy_prefix, err);
        else if (f.number == NORMALIZER_REMOVE)
            rc = tsl_protobuf_bool(r, &f, &n->remove_extra_whitespaces, err);
        else if (f.number == NORMALIZER_ESCAPE)
            rc = tsl_protobuf_bool(r, &f, &n->escape_whitespaces, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int add_piece(struct tsl_tokfile_spm *m, size_t *cap, struct tsl_protobuf *r,
                     struct tsl_err *err)
{
    if (m->npieces == TSL_SPM_PIECES_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "%s: more than %d pieces",
                           tsl_quote(m->name).s, TSL_SPM_PIECES_MAX);
    int rc =
        tsl_mem_grow(&m->pieces, cap, m->npieces + 1, sizeof *m->pieces, "pieces", err);
    return rc < 0 ? rc : read_piece(r, &m->pieces[m->npieces++], err);
}

static int read_model(struct tsl_tokfile_spm *m, struct tsl_err *err)
{
    struct tsl_protobuf r, in;
    struct tsl_protobuf_field f;
    size_t cap = 0;
    int rc;
    tsl_protobuf_init(&r, (struct tsl_slice){ m->bytes, m->nbytes }, 0, m->name);
    m->options = tsl_tokfile_spm_defaults();
    while ((rc = tsl_protobuf_next(&r, &f, err)) > 0) {
        struct tsl_slice message;
        if (f.number != MODEL_PIECES && f.number != MODEL_TRAINER &&
            f.number != MODEL_NORMALIZER && f.number != MODEL_DENORMALIZER)
            continue;
        rc = tsl_protobuf_bytes(&r, &f, &message, err);
        if (rc < 0)
            return rc;
        tsl_protobuf_enter(&in, &r, &f);
        if (f.number == MODEL_PIECES)
            rc = add_piece(m, &cap, &in, err);
        else if (f.number == MODEL_TRAINER)
            rc = read_trainer(&in, &m->options, err);
        else if (f.number == MODEL_NORMALIZER)
            rc = read_normalizer(&in, &m->options.normalizer, err);
        else
            rc = read_normalizer(&in, &m->options.denormalizer, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static bool is_reserved(enum tsl_spm_type type)
{
    return type == TSL_SPM_UNKNOWN || type == TSL_SPM_CONTROL || type == TSL_SPM_BYTE;
}

/* The place in the index of the piece, or the empty one where it belongs. */
static size_t index_place(const struct tsl_tokfile_spm *m, struct tsl_slice text,
                          bool reserved)
{
    size_t i = tsl_hash64(text.data, text.len, reserved) & m->index_mask;
    for (;; i = (i + 1) & m->index_mask) {
        if (m->index[i] == UINT32_MAX)
            return i;
        const struct tsl_spm_piece *p = &m->pieces[m->index[i]];
        if (is_reserved(p->type) == reserved && p->text.len == text.len &&
            memcmp(p->text.data, text.data, text.len) == 0)
            return i;
    }
}

int64_t tsl_tokfile_spm_find(const struct tsl_tokfile_spm *m, struct tsl_slice text,
                             bool reserved)
{
    uint32_t id = m->index[index_place(m, text, reserved)];
    return id == UINT32_MAX ? -1 : (int64_t)id;
}

static int piece_error(const struct tsl_tokfile_spm *m, size_t id, const char *why,
                       struct tsl_err *err)
{
    const struct tsl_spm_piece *p = &m->pieces[id];
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(p->text.len < 60 ? p->text.len : 60),
             p->text.data ? (const char *)p->text.data : "");
    return tsl_err_set(err, TSL_EFORMAT, "%s: piece %zu (%s) %s", tsl_quote(m->name).s,
                       id, tsl_quote(text).s, why);
}

static int check_pieces(struct tsl_tokfile_spm *m, struct tsl_err *err)
{
    bool byte_found[NBYTES] = { false };
    unsigned nbytes = 0, nunknown = 0;
    size_t slots = 16;
    while (slots < m->npieces * 2)
        slots *= 2;
    m->index = tsl_mem_alloc(slots, sizeof *m->index, "an index of pieces", err);
    if (!m->index)
        return TSL_ENOMEM;
    memset(m->index, 0xff, slots * sizeof *m->index);
    m->index_mask = slots - 1;
    for (size_t id = 0; id < m->npieces; id++) {
        const struct tsl_spm_piece *p = &m->pieces[id];
        if (p->text.len == 0)
            return piece_error(m, id, "is empty", err);
        if (p->score != p->score)
            return piece_error(m, id, "has no number for its score", err);
        size_t at = index_place(m, p->text, is_reserved(p->type));
        if (m->index[at] != UINT32_MAX)
            return piece_error(m, id, "was there before", err);
        m->index[at] = (uint32_t)id;
        if (p->type == TSL_SPM_UNKNOWN && nunknown++)
            return piece_error(m, id, "is a second piece for the unknown", err);
        if (p->type != TSL_SPM_BYTE)
            continue;
        int byte = tsl_tokfile_spm_byte(p->text);
        if (!m->options.byte_fallback)
            return piece_error(m, id, "is of type byte, but byte_fallback is off", err);
        if (byte < 0)
            return piece_error(m, id, "is of type byte, but not like <0x0A>", err);
        nbytes += !byte_found[byte];
        byte_found[byte] = true;
    }
    if (nunknown == 0)
        return tsl_err_set(err, TSL_EFORMAT, "%s: no piece stands for the unknown",
                           tsl_quote(m->name).s);
    if (m->options.byte_fallback && nbytes != NBYTES)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: byte_fallback is on, but only %u of 256 byte pieces are "
                           "there",
                           tsl_quote(m->name).s, nbytes);
    return 0;
}

/* Takes *bytes over, however it ends. */
static int read_bytes(struct tsl_tokfile_spm **out, uint8_t *bytes, size_t n,
                      const char *name, struct tsl_err *err)
{
    struct tsl_tokfile_spm *m = tsl_mem_alloc(1, sizeof *m, "a model", err);
    int rc = TSL_ENOMEM;
    *out = NULL;
    if (!m) {
        tsl_mem_free(bytes);
        return rc;
    }
    m->bytes = bytes;
    m->nbytes = n;
    m->name = tsl_mem_strdup(name, err);
    if (m->name)
        rc = read_model(m, err);
    if (rc == 0)
        rc = check_pieces(m, err);
    if (rc < 0)
        tsl_tokfile_spm_destroy(m);
    else
        *out = m;
    return rc;
}

int tsl_tokfile_spm_read(struct tsl_tokfile_spm **out, struct tsl_slice file,
                         const char *name, struct tsl_err *err)
{
    *out = NULL;
    uint8_t *bytes = tsl_mem_alloc(file.len, 1, "a model", err);
    if (!bytes)
        return TSL_ENOMEM;
    if (file.len)
        memcpy(bytes, file.data, file.len);
    return read_bytes(out, bytes, file.len, name, err);
}

int tsl_tokfile_spm_open(struct tsl_tokfile_spm **out, const char *path,
                         struct tsl_err *err)
{
    struct tsl_source s;
    uint8_t *bytes = NULL;
    size_t n = 0, cap = 0;
    int64_t got;
    *out = NULL;
    int rc = tsl_source_open(&s, path, TSL_SPM_FILE_MAX, err);
    if (rc < 0)
        return rc;
    do {
        rc = tsl_mem_grow(&bytes, &cap, n + (1 << 16), 1, "a model", err);
        got = rc < 0 ? rc : tsl_source_read(&s, bytes + n, cap - n, err);
        n += got > 0 ? (size_t)got : 0;
    } while (got > 0 && n <= TSL_SPM_FILE_MAX);
    rc = (int)(got < 0 ? got : 0);
    if (n > TSL_SPM_FILE_MAX)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: more than %d MiB, too large for a model",
                         tsl_quote(path).s, TSL_SPM_FILE_MAX >> 20);
    int closed = tsl_source_close(&s, rc < 0 ? NULL : err);
    if (rc == 0)
        rc = closed;
    if (rc == 0)
        return read_bytes(out, bytes, n, path, err);
    tsl_mem_free(bytes);
    return rc;
}

void tsl_tokfile_spm_destroy(struct tsl_tokfile_spm *m)
{
    if (!m)
        return;
    tsl_mem_free(m->pieces);
    tsl_mem_free(m->index);
    tsl_mem_free(m->bytes);
    tsl_mem_free(m->name);
    tsl_mem_free(m);
}

bool tsl_tokfile_spm_looks_like(struct tsl_slice head)
{
    enum { KEY_TEXT = PIECE_TEXT << 3 | TSL_PROTOBUF_BYTES };
    /* a piece, whose first field is its text, both short enough for one or two bytes of
     * length */
    struct tsl_protobuf r;
    size_t i = 1, len = 0;
    if (head.len < 4 || head.data[0] != (MODEL_PIECES << 3 | TSL_PROTOBUF_BYTES))
        return false;
    for (unsigned shift = 0; shift < 21 && i < head.len; shift += 7) {
        len |= (size_t)(head.data[i] & 0x7f) << shift;
        if (head.data[i++] < 0x80)
            break;
    }
    if (len < 3 || i >= head.len || head.data[i] != KEY_TEXT)
        return false;
    if (len > head.len - i)
        return true; /* the head ends within a long first piece */
    struct tsl_spm_piece piece;
    tsl_protobuf_init(&r, (struct tsl_slice){ head.data + i, len }, 0, "");
    if (read_piece(&r, &piece, NULL) < 0 || piece.text.len == 0)
        return false;
    /* a line of text can look like that; what follows is one more field of the message */
    tsl_protobuf_init(&r, (struct tsl_slice){ head.data + i + len, head.len - i - len },
                      0, "");
    if (r.at == r.end)
        return true;
    uint8_t key = *r.at;
    return key == (MODEL_PIECES << 3 | TSL_PROTOBUF_BYTES) ||
           key == (MODEL_TRAINER << 3 | TSL_PROTOBUF_BYTES) ||
           key == (MODEL_NORMALIZER << 3 | TSL_PROTOBUF_BYTES);
}

static int64_t special(const struct tsl_tokfile_spm *m, struct tsl_slice text,
                       const char *otherwise, enum tsl_spm_type type)
{
    int64_t id = tsl_tokfile_spm_find(m, text.len ? text : text_of(otherwise), true);
    return id >= 0 && m->pieces[id].type == type ? id : -1;
}

struct tsl_spm_specials tsl_tokfile_spm_specials(const struct tsl_tokfile_spm *m)
{
    const struct tsl_spm_options *o = &m->options;
    return (struct tsl_spm_specials){
        .unk = special(m, o->unk_piece, "<unk>", TSL_SPM_UNKNOWN),
        .bos = special(m, o->bos_piece, "<s>", TSL_SPM_CONTROL),
        .eos = special(m, o->eos_piece, "</s>", TSL_SPM_CONTROL),
        .pad = special(m, o->pad_piece, "<pad>", TSL_SPM_CONTROL),
    };
}

int tsl_tokfile_spm_vocab(const struct tsl_tokfile_spm *m, struct tsl_vocab *v,
                          struct tsl_err *err)
{
    int rc = 0;
    for (size_t id = 0; id < m->npieces && rc == 0; id++)
        rc = tsl_vocab_add(v, (uint32_t)id, m->pieces[id].text, err);
    return rc;
}

/* ---- writing -------------------------------------------------------------------------- */

static bool same(struct tsl_slice a, struct tsl_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void put_message(struct tsl_protobuf_out *w, uint32_t number,
                        struct tsl_protobuf_out *inner)
{
    tsl_protobuf_put_bytes(w, number, (struct tsl_slice){ inner->bytes, inner->len });
    w->failed |= inner->failed;
    inner->len = 0;
}

static void put_int(struct tsl_protobuf_out *w, uint32_t number, int32_t v, int32_t def)
{
    if (v != def)
        tsl_protobuf_put_int(w, number, v);
}

static void put_bool(struct tsl_protobuf_out *w, uint32_t number, bool v, bool def)
{
    if (v != def)
        tsl_protobuf_put_bool(w, number, v);
}

static void put_text(struct tsl_protobuf_out *w, uint32_t number, struct tsl_slice v,
                     struct tsl_slice def)
{
    if (!same(v, def))
        tsl_protobuf_put_bytes(w, number, v);
}

static void put_trainer(struct tsl_protobuf_out *w, const struct tsl_spm_options *o)
{
    struct tsl_spm_options d = tsl_tokfile_spm_defaults();
    put_text(w, TRAINER_MODEL_PREFIX, o->model_prefix, d.model_prefix);
    tsl_protobuf_put_int(w, TRAINER_MODEL_TYPE, o->algorithm);
    put_int(w, TRAINER_VOCAB_SIZE, o->vocab_size, d.vocab_size);
    if (o->character_coverage != d.character_coverage)
        tsl_protobuf_put_float(w, TRAINER_COVERAGE, o->character_coverage);
    put_int(w, TRAINER_PIECE_LENGTH, o->max_piece_chars, d.max_piece_chars);
    put_bool(w, TRAINER_SPLIT_SCRIPT, o->split_by_unicode_script,
             d.split_by_unicode_script);
    put_bool(w, TRAINER_SPLIT_SPACE, o->split_by_whitespace, d.split_by_whitespace);
    put_bool(w, TRAINER_SPLIT_NUMBER, o->split_by_number, d.split_by_number);
    put_bool(w, TRAINER_SUFFIX, o->whitespace_suffix, d.whitespace_suffix);
    put_bool(w, TRAINER_SPLIT_DIGITS, o->split_digits, d.split_digits);
    put_bool(w, TRAINER_BYTE_FALLBACK, o->byte_fallback, d.byte_fallback);
    put_int(w, TRAINER_UNK_ID, o->unk_id, d.unk_id);
    put_int(w, TRAINER_BOS_ID, o->bos_id, d.bos_id);
    put_int(w, TRAINER_EOS_ID, o->eos_id, d.eos_id);
    put_int(w, TRAINER_PAD_ID, o->pad_id, d.pad_id);
    put_text(w, TRAINER_UNK_SURFACE, o->unk_surface, d.unk_surface);
    put_text(w, TRAINER_UNK_PIECE, o->unk_piece, d.unk_piece);
    put_text(w, TRAINER_BOS_PIECE, o->bos_piece, d.bos_piece);
    put_text(w, TRAINER_EOS_PIECE, o->eos_piece, d.eos_piece);
    put_text(w, TRAINER_PAD_PIECE, o->pad_piece, d.pad_piece);
}

/* The file is read by programs that take an absent name for nmt_nfkc when they train on:
 * name and charsmap are always written. */
static void put_normalizer(struct tsl_protobuf_out *w, const struct tsl_spm_normalizer *n)
{
    tsl_protobuf_put_bytes(w, NORMALIZER_NAME, n->name);
    tsl_protobuf_put_bytes(w, NORMALIZER_CHARSMAP, n->charsmap);
    tsl_protobuf_put_bool(w, NORMALIZER_DUMMY, n->add_dummy_prefix);
    tsl_protobuf_put_bool(w, NORMALIZER_REMOVE, n->remove_extra_whitespaces);
    tsl_protobuf_put_bool(w, NORMALIZER_ESCAPE, n->escape_whitespaces);
}

int tsl_tokfile_spm_write(uint8_t **bytes, size_t *nbytes,
                          const struct tsl_spm_piece *pieces, size_t n,
                          const struct tsl_spm_options *o, struct tsl_err *err)
{
    struct tsl_protobuf_out w = { 0 }, in = { 0 };
    *bytes = NULL;
    *nbytes = 0;
    for (size_t i = 0; i < n; i++) {
        tsl_protobuf_put_bytes(&in, PIECE_TEXT, pieces[i].text);
        tsl_protobuf_put_float(&in, PIECE_SCORE, pieces[i].score);
        if (pieces[i].type != TSL_SPM_NORMAL)
            tsl_protobuf_put_int(&in, PIECE_TYPE, pieces[i].type);
        put_message(&w, MODEL_PIECES, &in);
    }
    put_trainer(&in, o);
    put_message(&w, MODEL_TRAINER, &in);
    put_normalizer(&in, &o->normalizer);
    put_message(&w, MODEL_NORMALIZER, &in);
    if (o->denormalizer.charsmap.len) {
        put_normalizer(&in, &o->denormalizer);
        put_message(&w, MODEL_DENORMALIZER, &in);
    }
    int rc = tsl_protobuf_end(&w, err);
    tsl_protobuf_fini(&in);
    if (rc < 0) {
        tsl_protobuf_fini(&w);
        return rc;
    }
    *bytes = w.bytes;
    *nbytes = w.len;
    return 0;
}
