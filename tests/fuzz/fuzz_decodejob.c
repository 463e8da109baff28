/* fuzz_decodejob - any bytes as ids that are to become text, in each format that they come in: a text
 * for each row, the same with more threads, or refused with a message.
 *
 *   byte 0   the format; byte 1: ids of a row, and whether special tokens are left out */
#include "support/fuzzfile.h"
#include "text/decodejob.h"
#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS = 200 };

static struct tsl_tokenizer *tokenizer(void)
{
    static struct tsl_tokenizer *t;
    static char text[WORDS * 8] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    const struct tsl_tokenizer_opts o = { .rules = 0 };
    if (t)
        return t;
    size_t n = strlen(text);
    for (int i = 5; i < WORDS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%c%c\n", i % 3 ? "" : "##",
                              'a' + i / 26, 'a' + i % 26);
    must(tsl_tokenizer_open(&t, fuzz_file("vocab.txt", text, n), &o, NULL) == 0);
    return t;
}

static int decode(char *path, const char *to, const uint8_t *how, unsigned nthreads,
                  struct tsl_decodejob_stats *st)
{
    struct tsl_err err = { 0 };
    const struct tsl_decodejob_opts o = {
        .paths = &path,
        .npaths = 1,
        .format = (enum tsl_decode_format)(how[0] % (TSL_DECODE_U32 + 1)),
        .field = "ids",
        .row_ids = how[1] & 0x7f,
        .skip_special = how[1] >> 7,
        .frame = { TSL_FRAME_LINE, 0 },
        .output = to,
        .memory = 64 << 20,
        .nthreads = nthreads,
    };
    int rc = tsl_decodejob_run(&o, tokenizer(), st, &err);
    must_tell(rc, &err);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_decodejob_stats one = { 0 }, two = { 0 };
    char path[128], to[128];
    size_t n, m;
    if (size < 2 || size > 1 << 14)
        return 0;
    snprintf(path, sizeof path, "%s", fuzz_file("ids", data + 2, size - 2));
    snprintf(to, sizeof to, "%s", fuzz_path("text"));
    int rc = decode(path, to, data, 1, &one);
    must(decode(path, fuzz_path("again"), data, 3, &two) == rc);
    if (rc < 0)
        return 0;
    must(one.rows == two.rows && one.tokens == two.tokens && one.bytes == two.bytes);
    uint8_t *first = fuzz_content(to, &n), *second = fuzz_content(fuzz_path("again"), &m);
    must(n == m && memcmp(first, second, n) == 0 && n == one.bytes_out);
    free(first);
    free(second);
    return 0;
}
