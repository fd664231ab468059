/** A switch of the recipe that the page offers to turn, and the way back from that until something else is changed. */
import { recipe, type WayBack } from './recipe.svelte';
import type { SwitchOption } from './recipe-groups';
import { trainForm } from './train-form.svelte';

export class OfferedSwitch {
  #wayBack = $state.raw<WayBack & { about: string }>();

  constructor(private readonly name: SwitchOption) {}

  /** It was turned here, and can be turned back. */
  get isTurned(): boolean {
    return this.#open !== undefined;
  }

  turn(on: boolean): void {
    this.#wayBack = { ...recipe.turn(this.name, on), about: aboutForm() };
  }

  turnBack(): void {
    this.#open?.go();
  }

  get #open(): WayBack | undefined {
    const wayBack = this.#wayBack;
    return wayBack?.about === aboutForm() && wayBack.isOpen() ? wayBack : undefined;
  }
}

/** A recipe belongs to its model and data: with others there is no way back to it. */
const aboutForm = () => `${trainForm.model?.id} ${trainForm.datasetId}`;
