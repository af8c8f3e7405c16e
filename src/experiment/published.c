/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/published.h"

#include "base/size.h"

// clang-format off
const struct paper_statistics paper_statistics[N_PAPER_DATA] = {
    [YELP] = {"yelp", 15720, 11383, 12.23},
    [BEAUTY] = {"beauty", 52204, 57289, 7.57},
    [FASHION] = {"fashion", 9049, 4722, 3.82},
};

const struct paper_method paper_methods[] = {
    {"base", "base", NO_BASE_RUN, {
        [YELP] = {[SASREC] = {0.5940, 0.3597}, [BERT4REC] = {0.5307, 0.3035}, [GRU4REC] = {0.4879, 0.2751}},
        [BEAUTY] = {[SASREC] = {0.4388, 0.3030}, [BERT4REC] = {0.3984, 0.2367}, [GRU4REC] = {0.3683, 0.2276}},
        [FASHION] = {[SASREC] = {0.4956, 0.4429}, [BERT4REC] = {0.4668, 0.3613}, [GRU4REC] = {0.4798, 0.3809}},
    }},
    {"cities", "CITIES", BASE_RUN, {
        [YELP] = {[SASREC] = {0.5828, 0.3540}, [BERT4REC] = {0.5249, 0.3015}, [GRU4REC] = {0.4898, 0.2749}},
        [BEAUTY] = {[SASREC] = {0.2256, 0.1413}, [BERT4REC] = {0.3961, 0.2339}, [GRU4REC] = {0.2456, 0.1400}},
        [FASHION] = {[SASREC] = {0.4923, 0.4423}, [BERT4REC] = {0.4926, 0.4090}, [GRU4REC] = {0.4762, 0.3743}},
    }},
    {"melt", "MELT", BASE_RUN, {
        [YELP] = {[SASREC] = {0.6257, 0.3791}, [BERT4REC] = {0.6206, 0.3770}, [GRU4REC] = {0.4985, 0.2825}},
        [BEAUTY] = {[SASREC] = {0.4334, 0.2775}, [BERT4REC] = {0.4716, 0.2965}, [GRU4REC] = {0.3702, 0.2161}},
        [FASHION] = {[SASREC] = {0.4875, 0.4150}, [BERT4REC] = {0.4897, 0.3810}, [GRU4REC] = {0.4884, 0.3975}},
    }},
    {"rlmrec", "RLMRec", NO_BASE_RUN, {
        [YELP] = {[SASREC] = {0.5929, 0.3583}, [BERT4REC] = {0.5356, 0.3111}, [GRU4REC] = {0.4824, 0.2765}},
        [BEAUTY] = {[SASREC] = {0.4236, 0.2866}, [BERT4REC] = {0.4019, 0.2391}, [GRU4REC] = {0.3690, 0.2295}},
        [FASHION] = {[SASREC] = {0.5013, 0.4462}, [BERT4REC] = {0.4734, 0.4012}, [GRU4REC] = {0.4867, 0.4065}},
    }},
    {"llminit", "LLMInit", NO_BASE_RUN, {
        [YELP] = {[SASREC] = {0.6302, 0.3859}, [BERT4REC] = {0.5518, 0.3217}, [GRU4REC] = {0.5323, 0.3132}},
        [BEAUTY] = {[SASREC] = {0.5263, 0.3551}, [BERT4REC] = {0.4821, 0.3039}, [GRU4REC] = {0.4333, 0.2588}},
        [FASHION] = {[SASREC] = {0.5169, 0.4138}, [BERT4REC] = {0.4886, 0.3610}, [GRU4REC] = {0.4959, 0.3932}},
    }},
    {"llm-esr", "LLM-ESR", NO_BASE_RUN, {
        [YELP] = {[SASREC] = {0.5935, 0.3550}, [BERT4REC] = {0.5886, 0.3551}, [GRU4REC] = {0.5592, 0.3300}},
        [BEAUTY] = {[SASREC] = {0.4949, 0.3056}, [BERT4REC] = {0.4790, 0.2920}, [GRU4REC] = {0.4765, 0.2992}},
        [FASHION] = {[SASREC] = {0.5398, 0.4363}, [BERT4REC] = {0.5432, 0.4421}, [GRU4REC] = {0.5514, 0.4555}},
    }},
    {"llmemb", "LLMEmb", SASREC_BASE_RUN, {
        [YELP] = {[SASREC] = {0.6488, 0.4139}, [BERT4REC] = {0.6181, 0.3907}, [GRU4REC] = {0.5592, 0.3301}},
        [BEAUTY] = {[SASREC] = {0.5036, 0.3153}, [BERT4REC] = {0.4482, 0.2663}, [GRU4REC] = {0.4507, 0.2863}},
        [FASHION] = {[SASREC] = {0.5872, 0.4973}, [BERT4REC] = {0.5244, 0.4238}, [GRU4REC] = {0.5414, 0.4547}},
    }},
    {"alphafuse", "AlphaFuse", NO_BASE_RUN, {
        [YELP] = {[SASREC] = {0.6658, 0.4171}, [BERT4REC] = {0.6565, 0.4111}, [GRU4REC] = {0.5636, 0.3380}},
        [BEAUTY] = {[SASREC] = {0.5585, 0.3754}, [BERT4REC] = {0.5627, 0.3747}, [GRU4REC] = {0.4788, 0.3046}},
        [FASHION] = {[SASREC] = {0.5632, 0.4529}, [BERT4REC] = {0.5289, 0.4215}, [GRU4REC] = {0.5346, 0.4375}},
    }},
    {"genair", "GenAIR", NO_BASE_RUN, {
        [YELP] = {[SASREC] = {0.6797, 0.4302}, [BERT4REC] = {0.6912, 0.4390}, [GRU4REC] = {0.5775, 0.3418}},
        [BEAUTY] = {[SASREC] = {0.5939, 0.4074}, [BERT4REC] = {0.5936, 0.3961}, [GRU4REC] = {0.5121, 0.3338}},
        [FASHION] = {[SASREC] = {0.6133, 0.5207}, [BERT4REC] = {0.5558, 0.4463}, [GRU4REC] = {0.5762, 0.4805}},
    }},
};
const size_t n_paper_methods = COUNT(paper_methods);

const struct paper_metrics paper_table3[N_ABLATIONS][N_BACKBONES] = {
    [WITHOUT_PREFILL] = {[SASREC] = {0.5968, 0.5069}, [BERT4REC] = {0.5311, 0.4355}, [GRU4REC] = {0.5621, 0.4752}},
    [WITHOUT_DECODING] = {[SASREC] = {0.6010, 0.5037}, [BERT4REC] = {0.5372, 0.4328}, [GRU4REC] = {0.5636, 0.4730}},
    [WITHOUT_CALIBRATION] = {[SASREC] = {0.6085, 0.5171}, [BERT4REC] = {0.5388, 0.4402}, [GRU4REC] = {0.5627, 0.4760}},
};

const struct paper_model paper_table4[] = {
    {"llama2", {[SASREC] = {0.6133, 0.5207}, [BERT4REC] = {0.5558, 0.4463}, [GRU4REC] = {0.5762, 0.4805}}},
    {"llama3.1", {[SASREC] = {0.6151, 0.5190}, [BERT4REC] = {0.5500, 0.4524}, [GRU4REC] = {0.5698, 0.4783}}},
    {"qwen2.5", {[SASREC] = {0.6156, 0.5226}, [BERT4REC] = {0.5571, 0.4512}, [GRU4REC] = {0.5787, 0.4794}}},
};
const size_t n_paper_models = COUNT(paper_table4);

const struct paper_cost paper_table5[] = {
    {"base", 5.72e6, 0.22}, {"llm-esr", 6.98e6, 3.34}, {"llmemb", 26.99e6, 0.22}, {"alphafuse", 5.72e6, 0.22},
    {"genair", 5.95e6, 0.22},
};
const size_t n_paper_costs = COUNT(paper_table5);

const char paper_alphas[] = "alpha=1e-4,5e-4,1e-3,5e-3,1e-2,5e-2,1e-1", paper_gammas[] = "gamma=0,1,2,3,4,5";
// clang-format on

enum paper_data paper_data_of(uint32_t users, uint32_t items) {
    int d = 0;
    while (d < N_PAPER_DATA && (paper_statistics[d].users != users || paper_statistics[d].items != items))
        d++;
    return (enum paper_data)d;
}
