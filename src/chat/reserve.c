/* The most that a request may cost. */
#include "chat/reserve.h"

#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "chat/tokens.h"
#include "core/tokens.h"

enum err chat_price_most(const struct model *model, const struct json_t *request, int64_t ratio_ppm, int64_t *ret) {
    const struct token_usage most = {
        .input = tokens_of_request(request), .output = llm_output_tokens(model, request)
    };
    return model_price_tokens(model, &most, ratio_ppm, ret);
}
