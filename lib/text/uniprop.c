#include "text/uniprop.h"

#include "text/unitables.h"

uint32_t tsl_uniprop(uint32_t cp)
{
    if (cp > 0x10ffff)
        return 0;
    return tsl_unitab_sets[tsl_unitab_block[tsl_unitab_index[cp >> 8]][cp & 255]];
}

unsigned tsl_uni_script(uint32_t cp)
{
    if (cp > 0x10ffff)
        return 0;
    return tsl_unitab_script_block[tsl_unitab_script_index[cp >> 8]][cp & 255];
}

static size_t copy(uint32_t *out, const uint32_t *to, unsigned begin, unsigned end)
{
    for (unsigned i = begin; i < end; i++)
        out[i - begin] = to[i];
    return end - begin;
}

size_t tsl_uni_lower(uint32_t cp, uint32_t out[3])
{
    if (cp >= 0x80) {
        unsigned i = tsl_uni_find(tsl_unitab_lower_key, tsl_unitab_lower_count, cp);
        if (i < tsl_unitab_lower_count)
            return copy(out, tsl_unitab_lower_to, tsl_unitab_lower_start[i],
                        tsl_unitab_lower_start[i + 1]);
    } else if (cp >= 'A' && cp <= 'Z') {
        cp += 'a' - 'A';
    }
    out[0] = cp;
    return 1;
}

size_t tsl_uni_bert_strip(uint32_t cp, uint32_t out[TSL_UNI_STRIP_MAX])
{
    out[0] = cp;
    if (cp < 0xc0) /* the first that has an accent */
        return 1;
    if (tsl_uniprop(cp) & TSL_UNI_BERT_MARK)
        return 0;
    if (tsl_uni_is_hangul(cp))
        return tsl_uni_hangul(cp, out);
    unsigned i = tsl_uni_find(tsl_unitab_strip_key, tsl_unitab_strip_count, cp);
    if (i == tsl_unitab_strip_count)
        return 1;
    return copy(out, tsl_unitab_strip_to, tsl_unitab_strip_start[i],
                tsl_unitab_strip_start[i + 1]);
}
