#include "support/sampleset.h"

#include "support/sampledata.h"

_Static_assert((int)SAMPLESET_VOCAB == (int)SAMPLEDATA_VOCAB &&
                   (int)SAMPLESET_MASK == (int)SAMPLEDATA_MASK,
               "the same set");

void sampleset_write(const char *path, uint64_t n, uint64_t seed)
{
    struct sampledata d = {
        .objective = "nsp", .n = n, .seed = seed, .tokens_max = 24, .labels = true
    };
    d.denoise.kind = TSL_DENOISE_MLM;
    d.denoise.mlm = tsl_mlm_defaults();
    sampledata_write(&d, path);
}
