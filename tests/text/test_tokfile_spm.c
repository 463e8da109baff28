#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/fixture.h"
#include "support/gendata.h"
#include "text/tokfile_spm.h"
#include "text/vocab.h"

static struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static bool is(struct tsl_slice s, const char *text)
{
    return s.len == strlen(text) && (s.len == 0 || memcmp(s.data, text, s.len) == 0);
}

#define UNK                                                                              \
    {                                                                                    \
        { (const uint8_t *)"<unk>", 5 }, 0, TSL_SPM_UNKNOWN                              \
    }
#define PIECE(text, score, type)                                                         \
    {                                                                                    \
        { (const uint8_t *)(text), sizeof(text) - 1 }, score, type                       \
    }

/* A file of n pieces. */
static struct tsl_slice written(const struct tsl_spm_piece *pieces, size_t n,
                                const struct tsl_spm_options *o)
{
    const struct tsl_spm_options defaults = tsl_tokfile_spm_defaults();
    struct tsl_err err = { 0 };
    uint8_t *bytes;
    size_t len;
    assert_ok(tsl_tokfile_spm_write(&bytes, &len, pieces, n, o ? o : &defaults, &err),
              &err);
    return (struct tsl_slice){ bytes, len };
}

static void release(struct tsl_slice s)
{
    tsl_mem_free((void *)(uintptr_t)s.data);
}

static struct tsl_tokfile_spm *file_of(const struct tsl_spm_piece *pieces, size_t n,
                                       const struct tsl_spm_options *o)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_spm *m = NULL;
    struct tsl_slice s = written(pieces, n, o);
    assert_ok(tsl_tokfile_spm_read(&m, s, "x.model", &err), &err);
    release(s);
    return m;
}

static void refused(struct tsl_slice s, const char *part)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_spm *m = (void *)&err;
    assert_err(tsl_tokfile_spm_read(&m, s, "x.model", &err), TSL_EFORMAT, &err, part);
    assert_null(m);
}

static void what_is_written_is_read_again(void **state)
{
    const struct tsl_spm_piece pieces[] = {
        UNK,
        PIECE("<s>", 0, TSL_SPM_CONTROL),
        PIECE("\xe2\x96\x81the", -1.5F, TSL_SPM_NORMAL),
        PIECE("a", -INFINITY, TSL_SPM_NORMAL),
        PIECE("user", 0.1F, TSL_SPM_USER_DEFINED),
        PIECE("unused", -3, TSL_SPM_UNUSED),
    };
    struct tsl_spm_options o = tsl_tokfile_spm_defaults();
    (void)state;
    o.algorithm = TSL_SPM_BPE;
    o.whitespace_suffix = true;
    o.unk_id = 7;
    o.bos_id = -1;
    o.eos_id = 4711;
    o.pad_id = 0;
    o.bos_piece = str("[BOS]");
    o.eos_piece = str("");
    o.unk_surface = str("?");
    o.vocab_size = 123456;
    o.max_piece_chars = -5;
    o.character_coverage = 1;
    o.split_by_number = false;
    o.split_digits = true;
    o.normalizer.name = str("own");
    o.normalizer.charsmap = (struct tsl_slice){ (const uint8_t *)"\0\xff\0", 3 };
    o.normalizer.escape_whitespaces = false;
    o.denormalizer.charsmap = str("map");
    o.denormalizer.add_dummy_prefix = false;
    struct tsl_tokfile_spm *m = file_of(pieces, 6, &o);
    assert_int_equal(m->npieces, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(is(m->pieces[i].text, (const char *)pieces[i].text.data));
        assert_true(m->pieces[i].score == pieces[i].score);
        assert_int_equal(m->pieces[i].type, pieces[i].type);
    }
    const struct tsl_spm_options *r = &m->options;
    assert_int_equal(r->algorithm, TSL_SPM_BPE);
    assert_true(r->whitespace_suffix && !r->byte_fallback);
    assert_true(r->unk_id == 7 && r->bos_id == -1 && r->eos_id == 4711 && r->pad_id == 0);
    assert_true(is(r->unk_piece, "<unk>") && is(r->bos_piece, "[BOS]"));
    assert_true(is(r->eos_piece, "") && is(r->pad_piece, "<pad>"));
    assert_true(is(r->unk_surface, "?"));
    assert_true(r->vocab_size == 123456 && r->max_piece_chars == -5);
    assert_true(r->character_coverage == 1);
    assert_true(r->split_by_unicode_script && r->split_by_whitespace);
    assert_true(!r->split_by_number && r->split_digits);
    assert_true(is(r->normalizer.name, "own") && r->normalizer.charsmap.len == 3);
    assert_memory_equal(r->normalizer.charsmap.data, "\0\xff\0", 3);
    assert_true(r->normalizer.add_dummy_prefix && !r->normalizer.escape_whitespaces);
    assert_true(is(r->denormalizer.charsmap, "map"));
    assert_true(!r->denormalizer.add_dummy_prefix);
    tsl_tokfile_spm_destroy(m);
}

/* The message by hand: field 1 of 0x0a, 2 of 0x15, 3 of 0x18, as the proto has them. */
static void a_field_that_is_left_out_has_its_default(void **state)
{
    static const uint8_t file[] = "\x0a\x09\x0a\x05<unk>\x18\x02"
                                  "\x0a\x03\x0a\x01z"; /* a score of 0, type normal */
    struct tsl_err err = { 0 };
    struct tsl_tokfile_spm *m = NULL;
    const struct tsl_spm_options d = tsl_tokfile_spm_defaults();
    (void)state;
    assert_ok(
        tsl_tokfile_spm_read(&m, (struct tsl_slice){ file, sizeof file - 1 }, "f", &err),
        &err);
    assert_int_equal(m->npieces, 2);
    assert_true(is(m->pieces[1].text, "z") && m->pieces[1].score == 0);
    assert_int_equal(m->pieces[1].type, TSL_SPM_NORMAL);
    assert_int_equal(m->options.algorithm, TSL_SPM_UNIGRAM);
    assert_true(is(m->options.unk_surface, " \xe2\x81\x87 "));
    assert_true(m->options.normalizer.add_dummy_prefix == d.normalizer.add_dummy_prefix);
    assert_int_equal(m->options.vocab_size, 8000);
    assert_true(m->options.character_coverage == 0.9995F);
    tsl_tokfile_spm_destroy(m);
}

static void pieces_that_make_no_sense_are_refused_by_name(void **state)
{
    static const struct {
        struct tsl_spm_piece pieces[3];
        size_t n;
        const char *part;
    } bad[] = {
        { { { { 0 }, 0, 0 } }, 0, "x.model: no piece stands for the unknown" },
        { { PIECE("a", 0, TSL_SPM_NORMAL) }, 1, "no piece stands for the unknown" },
        { { UNK, PIECE("", 0, TSL_SPM_NORMAL) }, 2, "piece 1 ('') is empty" },
        { { UNK, PIECE("a", 0, TSL_SPM_NORMAL), PIECE("a", 1, TSL_SPM_UNUSED) },
          3,
          "piece 2 (a) was there before" },
        { { UNK, PIECE("<unk>", 0, TSL_SPM_CONTROL) }, 2, "piece 1 ('<unk>') was" },
        { { UNK, PIECE("u", 0, TSL_SPM_UNKNOWN) }, 2, "a second piece for the unknown" },
        { { UNK, PIECE("a", NAN, TSL_SPM_NORMAL) }, 2, "piece 1 (a) has no number" },
        { { UNK, PIECE("a", 0, (enum tsl_spm_type)7) }, 2, "unknown type 7" },
        { { UNK, PIECE("a", 0, (enum tsl_spm_type)0) }, 2, "unknown type 0" },
        { { UNK, PIECE("a\xff", 0, TSL_SPM_NORMAL) }, 2, "field 1 is not UTF-8" },
        { { UNK, PIECE("<0x00>", 0, TSL_SPM_BYTE) }, 2, "byte_fallback is off" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_slice s = written(bad[i].pieces, bad[i].n, NULL);
        refused(s, bad[i].part);
        release(s);
    }
}

static void with_byte_fallback_all_bytes_are_there(void **state)
{
    struct tsl_spm_options o = tsl_tokfile_spm_defaults();
    struct tsl_spm_piece pieces[257] = { UNK };
    char names[256][8];
    (void)state;
    o.byte_fallback = true;
    for (unsigned b = 0; b < 256; b++) {
        snprintf(names[b], sizeof names[b], "<0x%02X>", b);
        pieces[b + 1] = (struct tsl_spm_piece){ str(names[b]), 0, TSL_SPM_BYTE };
        assert_int_equal(tsl_tokfile_spm_byte(str(names[b])), b);
    }
    tsl_tokfile_spm_destroy(file_of(pieces, 257, &o));
    struct tsl_slice s = written(pieces, 256, &o);
    refused(s, "only 255 of 256 byte pieces");
    release(s);
    pieces[9].text = str("<0x0a>");
    s = written(pieces, 257, &o);
    refused(s, "piece 9 ('<0x0a>') is of type byte, but not like <0x0A>");
    release(s);
    static const char *const none[] = { "",       "<0x0>",  "<0x000>", "<0xG0>",
                                        "<0X00>", "<0x 1>", "(0x00>",  "<0x00]" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(tsl_tokfile_spm_byte(str(none[i])), -1);
}

static void text_and_reserved_pieces_may_be_spelled_alike(void **state)
{
    const struct tsl_spm_piece pieces[] = { UNK, PIECE("<s>", 0, TSL_SPM_CONTROL),
                                            PIECE("<s>", 0, TSL_SPM_NORMAL),
                                            PIECE("<unk>", 0, TSL_SPM_USER_DEFINED) };
    struct tsl_tokfile_spm *m = file_of(pieces, 4, NULL);
    (void)state;
    assert_int_equal(tsl_tokfile_spm_find(m, str("<s>"), true), 1);
    assert_int_equal(tsl_tokfile_spm_find(m, str("<s>"), false), 2);
    assert_int_equal(tsl_tokfile_spm_find(m, str("<unk>"), true), 0);
    assert_int_equal(tsl_tokfile_spm_find(m, str("<unk>"), false), 3);
    assert_int_equal(tsl_tokfile_spm_find(m, str("<s"), false), -1);
    assert_int_equal(tsl_tokfile_spm_find(m, str(""), true), -1);
    tsl_tokfile_spm_destroy(m);
}

static void special_pieces_are_found_by_name_and_type(void **state)
{
    const struct tsl_spm_piece pieces[] = {
        PIECE("</s>", 0, TSL_SPM_NORMAL), /* a text piece of that name is not it */
        PIECE("<s>", 0, TSL_SPM_CONTROL),
        UNK,
        PIECE("[PAD]", 0, TSL_SPM_CONTROL),
    };
    struct tsl_spm_options o = tsl_tokfile_spm_defaults();
    (void)state;
    o.pad_piece = str("[PAD]");
    o.bos_piece = str(""); /* as the default */
    o.eos_id = 3;          /* is not asked: the trainer's ids may be others' */
    struct tsl_tokfile_spm *m = file_of(pieces, 4, &o);
    struct tsl_spm_specials s = tsl_tokfile_spm_specials(m);
    assert_true(s.unk == 2 && s.bos == 1 && s.eos == -1 && s.pad == 3);
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_ok(tsl_tokfile_spm_vocab(m, v, &err), &err);
    assert_int_equal(tsl_vocab_count(v), 4);
    assert_int_equal(tsl_vocab_find(v, str("[PAD]")), 3);
    tsl_vocab_destroy(v);
    tsl_tokfile_spm_destroy(m);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    const struct tsl_spm_piece pieces[] = { UNK };
    struct tsl_spm_options o = tsl_tokfile_spm_defaults();
    (void)state;
    o.algorithm = (enum tsl_spm_algorithm)5;
    struct tsl_slice s = written(pieces, 1, &o);
    refused(s, "unknown model type 5; unigram (1), bpe (2), word (3), char (4)");
    release(s);
    o = tsl_tokfile_spm_defaults();
    o.unk_surface = str("\xc0\x80");
    s = written(pieces, 1, &o);
    refused(s, "field 44 is not UTF-8");
    release(s);
}

static void such_a_file_is_known_by_its_first_piece(void **state)
{
    const struct tsl_spm_piece pieces[] = { UNK };
    struct tsl_slice s = written(pieces, 1, NULL);
    (void)state;
    assert_true(tsl_tokfile_spm_looks_like(s));
    assert_true(tsl_tokfile_spm_looks_like((struct tsl_slice){ s.data, 11 }));
    static const char *const none[] = { "",
                                        "\n",
                                        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
                                        "\n\x05hello",
                                        "{\"a\":1}",
                                        "[PAD]\n[UNK]\n",
                                        "\n\x03\n\x01zThe text goes on" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(tsl_tokfile_spm_looks_like(str(none[i])));
    release(s);
    size_t n;
    uint8_t *real = fixture_get("tokenizers/sp-unigram-en-1k/sp-unigram-en-1k.model", &n);
    for (size_t head = 64; head <= 4096; head *= 2)
        assert_true(tsl_tokfile_spm_looks_like((struct tsl_slice){ real, head }));
    free(real);
}

static void a_real_file_is_read_as_it_was_made(void **state)
{
    static const char name[] = "tokenizers/sp-unigram-en-1k/sp-unigram-en-1k.model";
    struct tsl_err err = { 0 };
    struct tsl_tokfile_spm *m = NULL, *again = NULL;
    size_t n;
    uint8_t *bytes = fixture_get(name, &n);
    (void)state;
    file_put("f", bytes, n);
    assert_ok(tsl_tokfile_spm_open(&m, "f", &err), &err);
    assert_int_equal(m->npieces, 1000);
    assert_int_equal(m->options.algorithm, TSL_SPM_UNIGRAM);
    assert_true(is(m->pieces[0].text, "<unk>"));
    struct tsl_slice s = written(m->pieces, m->npieces, &m->options);
    assert_ok(tsl_tokfile_spm_read(&again, s, "again", &err), &err);
    assert_int_equal(again->npieces, m->npieces);
    struct tsl_slice twice = written(again->pieces, again->npieces, &again->options);
    assert_int_equal(twice.len, s.len);
    assert_memory_equal(twice.data, s.data, s.len);
    release(s);
    release(twice);
    tsl_tokfile_spm_destroy(m);
    tsl_tokfile_spm_destroy(again);

    for (size_t cut = 0; cut < n; cut += 1 + cut / 7) { /* the end is missing */
        int rc = tsl_tokfile_spm_read(&m, (struct tsl_slice){ bytes, cut }, "f", &err);
        if (rc == 0) /* between two fields */
            tsl_tokfile_spm_destroy(m);
        else
            assert_err(rc, TSL_EFORMAT, &err, "f: ");
    }
    free(bytes);
    assert_true(tsl_tokfile_spm_open(&m, "missing", &err) < 0);
    assert_null(m);
}

/* Read or refused; what is read keeps the promises. */
static void hostile_files_do_no_harm(void **state)
{
    const struct tsl_spm_piece pieces[] = { UNK, PIECE("ab", -1, TSL_SPM_NORMAL),
                                            PIECE("c", -2, TSL_SPM_UNUSED),
                                            PIECE("</s>", 0, TSL_SPM_CONTROL) };
    struct gen g = { 51 };
    struct tsl_slice good = written(pieces, 4, NULL);
    size_t nread = 0;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct tsl_err err = { 0 };
        struct tsl_tokfile_spm *m = NULL;
        uint8_t *copy = malloc(good.len);
        size_t n = gen_below(&g, 4) ? good.len : gen_below(&g, good.len);
        memcpy(copy, good.data, good.len);
        copy = realloc(copy, n + !n);
        for (uint64_t k = gen_below(&g, 4); k > 0 && n; k--)
            copy[gen_below(&g, n)] =
                gen_below(&g, 2) ? (uint8_t)gen_below(&g, 16) : (uint8_t)gen_u64(&g);
        int rc = tsl_tokfile_spm_read(&m, (struct tsl_slice){ copy, n }, "f", &err);
        (void)tsl_tokfile_spm_looks_like((struct tsl_slice){ copy, n });
        free(copy);
        if (rc < 0) {
            assert_err(rc, TSL_EFORMAT, &err, "f: ");
            continue;
        }
        nread++;
        for (size_t i = 0; i < m->npieces; i++) {
            const struct tsl_spm_piece *p = &m->pieces[i];
            bool reserved = p->type == TSL_SPM_UNKNOWN || p->type == TSL_SPM_CONTROL ||
                            p->type == TSL_SPM_BYTE;
            assert_true(p->text.len > 0 && p->score == p->score);
            assert_int_equal(tsl_tokfile_spm_find(m, p->text, reserved), i);
        }
        tsl_tokfile_spm_destroy(m);
    }
    assert_true(nread > 1000 && nread < 15000);
    release(good);
}

static int read_it(void *ctx, struct tsl_err *err)
{
    struct tsl_tokfile_spm *m;
    int rc = tsl_tokfile_spm_read(&m, *(struct tsl_slice *)ctx, "f", err);
    if (rc == 0)
        tsl_tokfile_spm_destroy(m);
    else
        assert_null(m);
    return rc;
}

static int open_it(void *ctx, struct tsl_err *err)
{
    struct tsl_tokfile_spm *m;
    int rc = tsl_tokfile_spm_open(&m, ctx, err);
    if (rc == 0)
        tsl_tokfile_spm_destroy(m);
    else
        assert_null(m);
    return rc;
}

static int write_it(void *ctx, struct tsl_err *err)
{
    const struct tsl_spm_options o = tsl_tokfile_spm_defaults();
    uint8_t *bytes;
    size_t n;
    int rc = tsl_tokfile_spm_write(&bytes, &n, ctx, 2, &o, err);
    tsl_mem_free(bytes);
    return rc;
}

static void any_failed_allocation_is_reported(void **state)
{
    struct tsl_spm_piece pieces[] = { UNK, PIECE("ab", -1, TSL_SPM_NORMAL) };
    struct tsl_slice s = written(pieces, 2, NULL);
    char name[] = "f";
    (void)state;
    file_put(name, s.data, s.len);
    fault_each_allocation(read_it, &s);
    fault_each_allocation(open_it, name);
    fault_each_allocation(write_it, pieces);
    release(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_again),
        TEST(a_field_that_is_left_out_has_its_default),
        TEST(pieces_that_make_no_sense_are_refused_by_name),
        TEST(with_byte_fallback_all_bytes_are_there),
        TEST(text_and_reserved_pieces_may_be_spelled_alike),
        TEST(special_pieces_are_found_by_name_and_type),
        TEST(options_that_make_no_sense_are_refused),
        TEST(such_a_file_is_known_by_its_first_piece),
        TEST(a_real_file_is_read_as_it_was_made),
        TEST(hostile_files_do_no_harm),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
