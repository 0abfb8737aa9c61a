"""Drafts on a real quantized model: the text stays the model's own, but for near ties."""

from pathlib import Path

import pytest

from chinese_llm_rag.llms.backend import GenerationParams, TextChunk
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path

pytestmark = pytest.mark.models

# Computing several tokens at once rounds otherwise than one by one. Logits of a four-bit model move by some
# hundredths by that, so only tokens whose logits are about as near can change places.
NEAR = 0.5
PARAMS = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=40, logprobs=2)
PARAGRAPHS = [
    "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。",
    "火车每天经过两次，一次向北，一次向南。站台上的钟比手表慢三分钟，大家都习惯了。",
    "秋天收玉米的时候，院子里堆成一座金色的小山，猫在上面打滚，谁也不去管它。",
    "河边的柳树在春天最先变绿，风一吹，水面上全是细碎的影子。钓鱼的人不说话，只看着浮标。",
    "小城的清晨从卖豆浆的铺子开始。热气一出来，整条街就醒了，骑车的人放慢速度。",
    "这台机器清洗前要先断电，再取下滤网，用温水冲洗，晾干以后装回去，最后检查指示灯。",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged_model_path("gemma-3-270m-base", tmp_path_factory.mktemp("model"))


def tokens_of(backend: LlamaCppBackend, prompt: str) -> list[TextChunk]:
    return [piece for piece in backend.generate(prompt, PARAMS) if piece.n_tokens]


def test_a_quantized_model_with_prompt_lookup_differs_only_after_a_near_tie(model: Path) -> None:
    plain = LlamaCppBackend(model, context_window=1024)
    looking = LlamaCppBackend(model, context_window=1024, prompt_lookup=True)
    accepted = []
    learn = looking._drafter.learn
    looking._drafter.learn = lambda n, right: (accepted.append(right), learn(n, right))
    ties = 0
    for paragraph in PARAGRAPHS:
        prompt = f"原文：{paragraph}\n逐字抄写一遍：{paragraph[:6]}"
        expected, seen = tokens_of(plain, prompt), tokens_of(looking, prompt)
        for ours, theirs in zip(seen, expected, strict=False):
            if ours.logprobs[0].token != theirs.logprobs[0].token:
                first, second = theirs.logprobs[0].top
                assert first[1] - second[1] < NEAR, f"{first} and {second} are no near tie"
                ties += 1
                break
            # Until then, both saw the same probabilities.
            assert ours.logprobs[0].logprob == pytest.approx(theirs.logprobs[0].logprob, abs=NEAR)
    print(f"{sum(accepted)} drafted tokens were right; {ties} of {len(PARAGRAPHS)} texts parted at a near tie")
    assert sum(accepted) > 20
    plain.close()
    looking.close()
