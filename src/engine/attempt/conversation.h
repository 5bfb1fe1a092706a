/* What comes of a language model's attempt. Engine's thread. */
#pragma once

struct outcome;
struct run;

/* The answer is whole: it becomes the task's result, priced by its tokens. A call's client has it at once. */
void conversation_complete(struct run *run, const struct outcome *outcome);
