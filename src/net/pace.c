/* The limit doubles and begins anew; between, it stays: as long as transfers end, those that wait have their connections. */
#include "net/pace.h"

void pace_init(struct pace *pace, bool on) {
    *pace = (struct pace){ .on = on, .limit = PACE_MIN };
}

bool pace_allows(const struct pace *pace, unsigned running) {
    return !pace->on || running < pace->limit;
}

void pace_ended(struct pace *pace) {
    pace->ended++;
}

void pace_look(struct pace *pace, unsigned running) {
    if (pace->ended < running / 2 && running >= pace->limit) {
        pace->limit *= 2;
    }
    pace->ended = 0;
}

void pace_rest(struct pace *pace, unsigned running) {
    if (running < PACE_MIN) {
        pace->limit = PACE_MIN;
    }
}
