// Draws the figures of a page, and draws them again when there is news or the page turns light or dark.
//
// An element with data-figures names where the specs are; its .plot elements name their panel. The specs are read
// without eval (ast). When only the marks changed, they are given to the figure that stands there, which moves them.
"use strict";
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();

  const frameOf = (spec) => JSON.stringify(spec, (key, value) => (key === "values" ? null : value));

  const dataOf = (spec) => [spec.data, ...spec.layer.map((layer) => layer.data)].filter((data) => data?.name);

  const draw = async (place, spec, config) => {
    const there = drawn.get(place);
    const frame = frameOf([spec, config]);
    if (there?.frame === frame) {
      for (const { name, values } of dataOf(spec)) there.view.data(name, values);
      await there.view.runAsync();
      return;
    }
    there?.finalize();
    const { view, finalize } = await vegaEmbed(place, spec, {
      ast: true,
      actions: false,
      renderer: "svg",
      config,
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });
    drawn.set(place, { frame, view, finalize });
  };

  const drawAll = async (holder) => {
    const answer = await fetch(holder.dataset.figures);
    if (!answer.ok) return;
    holder.specs = await answer.json();
    await show(holder);
  };

  const show = async (holder) => {
    const { config, panels } = holder.specs;
    for (const place of holder.querySelectorAll(".plot"))
      await draw(place, panels[place.dataset.panel], dark.matches ? config.dark : config.light);
  };

  const holders = () => document.querySelectorAll("[data-figures]");
  holders().forEach(drawAll);
  dark.addEventListener("change", () => holders().forEach((holder) => holder.specs && show(holder)));
  document.addEventListener("renewed", (event) => {
    if (event.target.dataset.measured) holders().forEach(drawAll);
  });
}
