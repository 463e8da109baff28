/* fuzz_countfile - arbitrary bytes are read as a file of counted words or refused; what is
 * read are words in order with the counts that the file promised.  So that the fuzzer gets
 * past them, checksums are put right first when the first byte says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/hash.h"
#include "text/countfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void mend(uint8_t *p, size_t n)
{
    if (n < 20)
        return;
    size_t at = 12 + (size_t)tsl_load32(p + 8);
    if (at > n - 8)
        return;
    tsl_store64(p + at, tsl_hash64(p, at, 0));
    at += 8;
    for (uint64_t number = 0; n - at >= 24; number++) {
        if (tsl_load32(p + at) == 0x444e4557) {
            tsl_store64(p + n - 8, tsl_hash64(p + at, n - at - 8, 0));
            return;
        }
        size_t payload = tsl_load32(p + at + 4);
        if (payload > n - at - 24)
            return;
        uint8_t *copy = malloc(16 + payload);
        must(copy != NULL);
        memcpy(copy, p + at, 16);
        memcpy(copy + 16, p + at + 24, payload);
        tsl_store64(p + at + 16, tsl_hash64(copy, 16 + payload, number));
        free(copy);
        at += 24 + payload;
    }
}

static void check_words(struct tsl_wordcount *wc, const struct tsl_countfile_stats *st)
{
    uint8_t last[TSL_WORDCOUNT_WORD_MAX];
    size_t last_len = 0;
    uint64_t count, total = 0, n = 0;
    struct tsl_slice word;
    int rc;
    must(tsl_wordcount_finish(wc, NULL) == 0);
    while ((rc = tsl_wordcount_next(wc, &word, &count, NULL)) == 1) {
        size_t both = word.len < last_len ? word.len : last_len;
        int order = both ? memcmp(last, word.data, both) : 0;
        must(word.len > 0 && count > 0);
        must(order < 0 || (order == 0 && word.len > last_len));
        memcpy(last, word.data, word.len);
        last_len = word.len;
        total += count;
        n++;
    }
    must(rc == 0 && n == st->words && total == st->total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const dirs[] = { "/tmp" };
    const struct tsl_wordcount_opts o = {
        .memory = 1 << 20, .nadders = 1, .dirs = dirs, .ndirs = 1
    };
    static int fd = -1;
    struct tsl_wordcount *wc;
    struct tsl_countfile_head head;
    struct tsl_countfile_stats st;
    struct tsl_err err = { 0 };
    char path[64];
    if (size < 1 || size > 1 << 16)
        return 0;
    uint8_t *p = malloc(size);
    must(p != NULL);
    memcpy(p, data + 1, size - 1);
    if (data[0] & 1)
        mend(p, size - 1);
    if (fd < 0)
        fd = memfd_create("counts", 0);
    must(fd >= 0 && ftruncate(fd, 0) == 0);
    must(pwrite(fd, p, size - 1, 0) == (ssize_t)(size - 1));
    free(p);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(tsl_wordcount_create(&wc, &o, NULL) == 0);
    int rc = tsl_countfile_add(path, NULL, wc, 0, &head, &st, &err);
    must(rc == 0 || ((rc == TSL_EFORMAT || rc == TSL_ENOMEM) && err.code == rc));
    if (rc == 0) {
        must(strlen(head.cut) < sizeof head.cut &&
             strlen(head.made_by) < sizeof head.made_by);
        check_words(wc, &st);
    }
    tsl_wordcount_destroy(wc);
    return 0;
}
