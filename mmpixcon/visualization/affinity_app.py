"""The browser page of ``tools/analysis_tools/affinity_app.py``; needs the extra ``app``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mmpixcon.visualization.point_affinities import PhotoAffinities

# Read when Gradio is imported: nothing is reported to its makers.
os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
try:
    import gradio as gr
except ImportError as error:
    raise ImportError("the app needs Gradio: pip install 'mmpixcon[app]'") from error

NO_IMAGE = 'This file cannot be read as an image.'


def build_app(affinities: PhotoAffinities, samples: Sequence[str | Path] = ()) -> gr.Blocks:
    """The page: a photo to click into, the marked photo, and a map a checkpoint.

    Args:
        affinities (PhotoAffinities): Answers the clicks.
        samples (Sequence[str | Path]): Photos to pick from; the first is shown at once.

    Returns:
        gr.Blocks: To be given to :func:`serve`.
    """
    samples = [str(path) for path in samples]
    titles = ['the point', *affinities.backbones]

    def no_maps() -> list[gr.Image]:
        return [gr.Image(None, label=title) for title in titles]

    def read(path: str | None) -> list[gr.Image]:
        """Run the backbones on a new photo, and take away the maps of the one before."""
        if path is not None:
            try:
                affinities.photo(path)
            except ValueError:
                gr.Warning(NO_IMAGE)
        return no_maps()

    def click(path: str, event: gr.SelectData) -> list[gr.Image]:
        """Draw the maps of a pixel."""
        try:
            affinity = affinities.at(path, tuple(event.index))
        except ValueError:
            gr.Warning(NO_IMAGE)
            return no_maps()
        pictures = [affinity.marked, *affinity.pictures.values()]
        captions = ['the point', *affinity.captions.values()]
        return [
            gr.Image(picture[..., ::-1], label=caption)
            for picture, caption in zip(pictures, captions)
        ]

    with gr.Blocks(title='Affinity maps', analytics_enabled=False) as app:
        gr.Markdown(
            '### Affinity maps\nClick a point of the photo: the brighter, the more alike the '
            'features there (cosine similarity), each map over its own range.'
        )
        with gr.Row():
            photo = gr.Image(
                str(samples[0]) if samples else None,
                label='photo',
                type='filepath',
                # The file as it was uploaded, whatever its channels.
                image_mode=None,
                sources=['upload'],
                height=420,
                elem_id='photo',
                buttons=[],
            )
            maps = [
                # PNG: colors arrive as they were computed.
                gr.Image(
                    label=title,
                    format='png',
                    interactive=False,
                    height=420,
                    min_width=300,
                    elem_id=f'map-{i}',
                    buttons=['download', 'fullscreen'],
                )
                for i, title in enumerate(titles)
            ]
        if samples:
            gr.Examples(samples, photo, label='samples', cache_examples=False)
        # One at a time, in their order: a map of the old photo must not arrive after the
        # new photo has cleared it, and the backbones share the same cores.
        photo.change(read, photo, maps, concurrency_limit=1, concurrency_id='photo')
        photo.select(click, photo, maps, concurrency_limit=1, concurrency_id='photo')
    return app


def serve(app: gr.Blocks, port: int, host: str = '127.0.0.1') -> None:
    """Serve the page until interrupted.

    Args:
        app (gr.Blocks): page that :func:`build_app` returned.
        port (int): To listen on.
        host (str): Address to listen on. Defaults to '127.0.0.1', this machine alone.
    """
    app.launch(
        server_name=host,
        server_port=port,
        share=False,
        # Also those of files that Gradio finds to be no images.
        show_error=True,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        max_file_size='50mb',
    )
