/* fuzz_safetensors - arbitrary bytes are read as a file of tensors or refused; what is read,
 * written again, is read again as the same tensors.
 *
 *   byte 0   bit 0: the bytes after it are a header, whose length is put before it, up to the
 *            first NUL, and data; else a whole file */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "train/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/fuzz_safetensors.XXXXXX";
static char in[64], out[64];

static void must(bool good)
{
    if (!good)
        abort();
}

static void leave(void)
{
    unlink(in);
    unlink(out);
    rmdir(folder);
}

static void enter(void)
{
    static bool entered;
    if (entered)
        return;
    must(mkdtemp(folder) != NULL);
    snprintf(in, sizeof in, "%s/in", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    entered = atexit(leave) == 0;
}

static void put(const uint8_t *data, size_t size)
{
    FILE *f = fopen(in, "wb");
    uint8_t length[8];
    const uint8_t *p = data + 1, *end = memchr(p, 0, size - 1);
    size_t n = end ? (size_t)(end - p) : size - 1;
    must(f != NULL);
    tsl_store64(length, n);
    if (data[0] & 1) {
        must(fwrite(length, 1, 8, f) == 8 && fwrite(p, 1, n, f) == n);
        p = end ? end + 1 : p + n;
    }
    n = size - (size_t)(p - data);
    must(fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

/* Everything of s, written anew. */
static void write_again(struct tsl_safetensors *s)
{
    struct tsl_err err = { 0 };
    size_t n = tsl_safetensors_count(s), nmeta = 0;
    struct tsl_safetensors_array *a = calloc(n + 1, sizeof *a);
    struct tsl_safetensors_string meta[64];
    while (nmeta < 64 &&
           (meta[nmeta].key = tsl_safetensors_meta_at(s, nmeta, &meta[nmeta].value)))
        nmeta++;
    for (size_t i = 0; i < n; i++) {
        const struct tsl_safetensors_entry *e = tsl_safetensors_at(s, i);
        void *raw = malloc(e->bytes + 1);
        double *d = malloc(e->n * sizeof *d + 1);
        int32_t *whole = malloc(e->n * sizeof *whole + 1);
        must(tsl_safetensors_find(s, e->name) == e);
        must(tsl_safetensors_read_raw(s, e, raw, &err) == 0);
        must(tsl_safetensors_read_f64(s, e, d, &err) == 0);
        int rc = tsl_safetensors_read_i32(s, e, whole, &err);
        must(rc == 0 || (rc == TSL_EFORMAT && err.msg[0]));
        for (size_t k = 0; rc == 0 && k < e->n; k++)
            must(whole[k] == d[k]);
        err = (struct tsl_err){ 0 };
        a[i] = (struct tsl_safetensors_array){ e->name, e->type, e->rank, e->dim, raw };
        free(d);
        free(whole);
    }
    int rc = tsl_safetensors_write(out, a, n, meta, nmeta, NULL, &err);
    must(rc == 0 || rc == TSL_EUSAGE); /* a tensor without a name, say */
    if (rc == 0) {
        struct tsl_safetensors *again;
        must(tsl_safetensors_open(&again, out, &err) == 0);
        must(tsl_safetensors_count(again) == n);
        for (size_t i = 0; i < n; i++) {
            const struct tsl_safetensors_entry *e = tsl_safetensors_at(again, i);
            uint8_t *raw = malloc(e->bytes + 1);
            must(strcmp(e->name, a[i].name) == 0 && e->rank == a[i].rank);
            must(tsl_safetensors_read_raw(again, e, raw, &err) == 0);
            must(memcmp(raw, a[i].data, e->bytes) == 0);
            free(raw);
        }
        tsl_safetensors_close(again);
    }
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)a[i].data);
    free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_safetensors *s;
    struct tsl_err err = { 0 };
    if (size < 1 || size > 1 << 16)
        return 0;
    enter();
    put(data, size);
    int rc = tsl_safetensors_open(&s, in, &err);
    must(rc == 0 || (err.code == rc && err.msg[0] && rc == TSL_EFORMAT));
    if (rc == 0) {
        write_again(s);
        tsl_safetensors_close(s);
    }
    return 0;
}
