"""Language models that see images."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

if Version(version("captum")) < Version("0.9"):
    pytest.skip("`SpexLLMAttribution` needs Captum 0.9", allow_module_level=True)

import torch
from captum.attr import (
    ImageMaskInput,
    LLMAttribution,
)
from language_cases import (
    IMAGE_SIZE,
    TARGET,
    Seeing,
    SeeingPatches,
    SeveralRows,
    as_pixels,
    assert_same,
    counted,
    picture,
    processed,
    quarters,
    words_tokenizer,
)

from captum_spex.attr import ProxySpex, SpexLLMAttribution


def processed_by_content(image):
    """More words for brighter images."""
    n_words = 2 + int(as_pixels(image).mean() * 6)
    return {**processed(image), "input_ids": torch.full((1, n_words), 4)}


def processed_to_patches(image):
    pixels = as_pixels(image).reshape(3, 4, 2, 4, 2).permute(1, 3, 0, 2, 4)
    return {**processed(image), "pixel_values": pixels.reshape(16, 12)}


def halves_that_overlap():
    left, lower = torch.zeros(2, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.bool)
    left[:, :5], lower[3:] = True, True
    return [left, lower]


def of_image(model, given, *, method=SpexLLMAttribution, **options):
    return method(ProxySpex(model.eval()), words_tokenizer()).attribute(
        given, TARGET, forward_in_tokens=False, **options
    )


IMAGES = {
    "one shape": (Seeing, processed, {"mask": quarters()}),
    "several shapes": (Seeing, processed_by_content, {"mask": quarters()}),
    "no row for each image": (SeeingPatches, processed_to_patches, {"mask": quarters()}),
    "four dimensions": (SeveralRows, processed, {"mask": quarters()}),
    "overlapping segments": (Seeing, processed, {"mask_list": halves_that_overlap(), "baseline": (0, 9, 0)}),
    "one segment": (Seeing, processed, {}),
}


@pytest.mark.parametrize("case", IMAGES.values(), ids=IMAGES)
def test_segments_of_images_get_captums_numbers(case):
    model, processor, settings = case
    given = ImageMaskInput(picture(), processor_fn=processor, **settings)
    exact = of_image(model(), given, method=LLMAttribution)
    result = of_image(model(), given)
    assert exact.seq_attr.abs().max() > 0.1
    assert_same(result, exact)
    assert result.interactions.names == tuple(given.values)
    assert_same(of_image(model(), given, tokens_per_batch=1), exact)


def test_images_of_one_shape_reach_the_model_together():
    model = Seeing()
    rows, _ = counted(model)
    of_image(model, ImageMaskInput(picture(), mask=quarters(), processor_fn=processed))
    assert max(rows) == 16


def test_evaluations_of_images_are_shown_and_drawn(closing):
    seen = []
    given = ImageMaskInput(picture(), mask=quarters(), processor_fn=processed)
    result = of_image(Seeing(), given, _inspect_forward=lambda *told: seen.append(told))
    assert {(prompt, answer) for prompt, answer, _ in seen} == {("a good film", TARGET)}
    assert len(seen) == 16 + 2  # two masks are also evaluated alone
    figure, _ = result.plot_image_heatmap()
    figure.canvas.draw()
