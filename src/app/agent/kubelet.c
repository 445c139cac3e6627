/* SPDX-License-Identifier: MIT */
#include "app/agent/kubelet.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/wait.h"

#define DEADLINE_MS 5000
#define STACK_BYTES (128u << 10)
#define REPEAT_MS (10 * 60 * INT64_C(1000)) /* the same complaint again */

struct gm_kubelet {
	struct gm_kubelet_conf conf;
	char *socket;
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool stopping;			 /* guarded by mu */
	struct gm_kubelet_answer *box;	 /* guarded by mu; not taken yet */
	struct gm_kubelet_answer *taken; /* main thread */
	char error[160];		 /* main thread */
	struct gm_log_limit said;	 /* main thread */
};

static void answer_free(struct gm_kubelet_answer *a)
{
	if (!a)
		return;
	gm_arena_fini(&a->arena);
	free(a);
}

static struct gm_kubelet_answer *ask(struct gm_kubelet *k)
{
	struct gm_kubelet_answer *a = gm_xalloc(sizeof(*a));
	struct gm_err err = { 0 };

	a->code = gm_podresources_list(k->socket, DEADLINE_MS, &a->arena, &a->pods, &err);
	if (a->code)
		(void)gm_str_copy(gm_str(err.text), a->error, sizeof(a->error));
	a->at_ms = gm_wall_ms(k->conf.clock);
	return a;
}

static void *kubelet_run(void *arg)
{
	struct gm_kubelet *k = arg;

	(void)pthread_mutex_lock(&k->mu);
	while (!k->stopping) {
		const struct timespec next = gm_deadline_in(k->conf.interval_ms);
		(void)pthread_mutex_unlock(&k->mu);
		struct gm_kubelet_answer *a = ask(k);
		(void)pthread_mutex_lock(&k->mu);
		struct gm_kubelet_answer *unread = k->box;
		k->box = a;
		answer_free(unread);
		while (!k->stopping && pthread_cond_timedwait(&k->changed, &k->mu, &next) == 0)
			;
	}
	(void)pthread_mutex_unlock(&k->mu);
	return NULL;
}

int gm_kubelet_start(const struct gm_kubelet_conf *conf, struct gm_kubelet **out, struct gm_err *err)
{
	struct gm_kubelet *k = gm_xalloc(sizeof(*k));
	pthread_attr_t attr;

	k->conf = *conf;
	k->socket = gm_xstrdup(conf->socket);
	(void)pthread_mutex_init(&k->mu, NULL);
	gm_cond_init(&k->changed);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	const int r = pthread_create(&k->thread, &attr, kubelet_run, k);
	(void)pthread_attr_destroy(&attr);
	if (r) {
		(void)pthread_cond_destroy(&k->changed);
		(void)pthread_mutex_destroy(&k->mu);
		free(k->socket);
		free(k);
		return gm_fail_errno(err, r, "thread that asks the kubelet");
	}
	*out = k;
	return 0;
}

void gm_kubelet_free(struct gm_kubelet *k)
{
	if (!k)
		return;
	(void)pthread_mutex_lock(&k->mu);
	k->stopping = true;
	(void)pthread_cond_broadcast(&k->changed);
	(void)pthread_mutex_unlock(&k->mu);
	(void)pthread_join(k->thread, NULL);
	answer_free(k->box);
	answer_free(k->taken);
	(void)pthread_cond_destroy(&k->changed);
	(void)pthread_mutex_destroy(&k->mu);
	free(k->socket);
	free(k);
}

static void take(struct gm_kubelet *k, struct gm_kubelet_answer *a)
{
	uint64_t held_back;

	(void)gm_str_copy(gm_str(a->error), k->error, sizeof(k->error));
	if (a->code == 0) {
		if (k->said.used)
			gm_info("the kubelet answers again");
		k->said = (struct gm_log_limit){ 0 };
		answer_free(k->taken);
		k->taken = a;
		return;
	}
	if (gm_log_limit_pass(&k->said, gm_mono_ms(k->conf.clock), REPEAT_MS, &held_back))
		gm_warn("the kubelet does not tell which pods use what", { "error", a->error },
			GM_LOG_INT("held-back", held_back));
	answer_free(a);
}

const struct gm_kubelet_answer *gm_kubelet_newest(struct gm_kubelet *k, const char **out_error)
{
	(void)pthread_mutex_lock(&k->mu);
	struct gm_kubelet_answer *a = k->box;
	k->box = NULL;
	(void)pthread_mutex_unlock(&k->mu);
	if (a)
		take(k, a);
	*out_error = k->error;
	return k->taken;
}
