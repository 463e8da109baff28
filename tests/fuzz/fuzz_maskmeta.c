/* fuzz_maskmeta - any text as the recipe of masks in the header of samples: refused with a message,
 * or the same when it has been written and read again. */
#include "base/mem.h"
#include "samples/maskmeta.h"
#include "support/fuzzfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_maskmeta m;
    struct tsl_err err = { 0 };
    char *first, *second;
    if (size > 1 << 16)
        return 0;
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    int rc = tsl_maskmeta_read(&m, text, "f", &err);
    must_tell(rc, &err);
    free(text);
    if (rc < 0)
        return 0;
    must(tsl_maskmeta_write(&m, &first, &err) == 0);
    tsl_maskmeta_fini(&m);
    must(tsl_maskmeta_read(&m, first, "f", &err) == 0);
    must(tsl_maskmeta_write(&m, &second, &err) == 0);
    tsl_maskmeta_fini(&m);
    must(strcmp(first, second) == 0);
    tsl_mem_free(first);
    tsl_mem_free(second);
    return 0;
}
